/** What others than the merchant tell of a request: its fields, and notes. */
import { boolean, type Infer, list, object, said, unknown } from '../schema.js';

export const sdkPreparationFieldSchema = object({
  name: said(100),
  type: said(40).optional(),
  required: boolean().optional(),
  description: said(400).optional(),
  defaultValue: unknown(),
  enumValues: list(said()).optional(),
});
export type SdkPreparationField = Infer<typeof sdkPreparationFieldSchema>;
export const sdkExternalMetadataSchema = object({
  description: said(400).optional(),
  requestBodyType: said(100).optional(),
  requestBodyExample: said(20_000).optional(),
  requestBodyFields: list(sdkPreparationFieldSchema).optional(),
  requestQueryParams: list(sdkPreparationFieldSchema).optional(),
  requestPathParams: list(sdkPreparationFieldSchema).optional(),
  notes: list(said(400)).optional(),
});
export type SdkExternalMetadata = Infer<typeof sdkExternalMetadataSchema>;
