/** What others than the merchant tell of a request: its fields, and notes. */
import { boolean, type Infer, list, object, text, unknown } from '../schema.js';

export const sdkPreparationFieldSchema = object({
  name: text({ min: 1, max: 100 }),
  type: text({ min: 1, max: 40 }).optional(),
  required: boolean().optional(),
  description: text({ min: 1, max: 400 }).optional(),
  defaultValue: unknown(),
  enumValues: list(text()).optional(),
});
export type SdkPreparationField = Infer<typeof sdkPreparationFieldSchema>;
export const sdkExternalMetadataSchema = object({
  description: text({ min: 1, max: 400 }).optional(),
  requestBodyType: text({ min: 1, max: 100 }).optional(),
  requestBodyExample: text({ min: 1, max: 20_000 }).optional(),
  requestBodyFields: list(sdkPreparationFieldSchema).optional(),
  requestQueryParams: list(sdkPreparationFieldSchema).optional(),
  requestPathParams: list(sdkPreparationFieldSchema).optional(),
  notes: list(text({ min: 1, max: 400 })).optional(),
});
export type SdkExternalMetadata = Infer<typeof sdkExternalMetadataSchema>;
