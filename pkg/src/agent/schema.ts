/**
 * Schemas: what has been read is of its type. `parse` throws, `safeParse` reports. Results have the
 * form that readers of zod's know.
 */
import { isObject } from '../members.js';

/** A fault, and its place. */
export type SchemaIssue = { readonly code: string; readonly path: (string | number)[]; readonly message: string };

/** All that is wrong with a value. Its name is the one that callers of the original look for. */
export class SchemaError extends Error {
  override readonly name = 'ZodError';
  readonly issues: SchemaIssue[];

  constructor(issues: SchemaIssue[]) {
    super(JSON.stringify(issues, undefined, 2));
    this.issues = issues;
  }

  get errors(): SchemaIssue[] {
    return this.issues;
  }

  /** The messages by the first member that they are about. */
  flatten(): { formErrors: string[]; fieldErrors: Record<string, string[]> } {
    const formErrors: string[] = [];
    const fieldErrors: Record<string, string[]> = {};
    for (const {
      path: [first],
      message,
    } of this.issues) {
      if (first === undefined) formErrors.push(message);
      else (fieldErrors[first] ??= []).push(message);
    }
    return { formErrors, fieldErrors };
  }
}

export type SafeParse<T> = { success: true; data: T; error?: never } | { success: false; error: SchemaError; data?: never };

type Read<T> = (value: unknown, path: (string | number)[], issues: SchemaIssue[]) => T;

/** Reads values of one type. */
export class Schema<T> {
  /** Only a type. */
  declare readonly _output: T;
  readonly #read: Read<T>;

  constructor(read: Read<T>) {
    this.#read = read;
  }

  /** Reads a part of a value: what is wrong is added to `issues`. */
  within(value: unknown, path: (string | number)[], issues: SchemaIssue[]): T {
    return this.#read(value, path, issues);
  }

  safeParse(value: unknown): SafeParse<T> {
    const issues: SchemaIssue[] = [];
    const data = this.#read(value, [], issues);
    return issues.length === 0 ? { success: true, data } : { success: false, error: new SchemaError(issues) };
  }

  parse(value: unknown): T {
    const read = this.safeParse(value);
    if (read.success) return read.data;
    throw read.error;
  }

  optional(): Schema<T | undefined> {
    return new Schema<T | undefined>((value, path, issues) => (value === undefined ? undefined : this.#read(value, path, issues)));
  }

  /** With a value where there is none. */
  default(missing: () => T): Schema<T> {
    return new Schema<T>((value, path, issues) => this.#read(value === undefined ? missing() : value, path, issues));
  }

  /** With a further condition; `message` is what is wrong otherwise. */
  refine(holds: (value: T) => boolean, message: string): Schema<T> {
    return new Schema<T>((value, path, issues) => {
      const before = issues.length;
      const read = this.#read(value, path, issues);
      if (issues.length === before && !holds(read)) issues.push({ code: 'custom', path, message });
      return read;
    });
  }
}

/** The type that a schema reads. */
export type Infer<S extends Schema<unknown>> = S['_output'];

function wrong<T>(issues: SchemaIssue[], path: (string | number)[], expected: string, value: unknown): T {
  const received = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
  const message = value === undefined ? 'Required' : `Expected ${expected}, received ${received}`;
  issues.push({ code: 'invalid_type', path, message });
  return undefined as T;
}

export type TextRules = {
  readonly min?: number;
  readonly max?: number;
  readonly pattern?: RegExp;
  readonly trim?: boolean;
  readonly form?: 'url' | 'time';
};

/** Text. */
export function text({ min, max, pattern, trim, form }: TextRules = {}): Schema<string> {
  return new Schema((value, path, issues) => {
    if (typeof value !== 'string') return wrong(issues, path, 'string', value);
    const read = trim === true ? value.trim() : value;
    const fails = (code: string, message: string): void => {
      issues.push({ code, path, message });
    };
    if (min !== undefined && read.length < min) fails('too_small', `String must contain at least ${min} character(s)`);
    if (max !== undefined && read.length > max) fails('too_big', `String must contain at most ${max} character(s)`);
    if (pattern !== undefined && !pattern.test(read)) fails('invalid_string', 'Invalid');
    if (form === 'url' && !isUrl(read)) fails('invalid_string', 'Invalid url');
    if (form === 'time' && !isTime(read)) fails('invalid_string', 'Invalid datetime');
    return read;
  });
}

/** An id, as UUID. */
export function id(): Schema<string> {
  return text({ pattern: /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i });
}

/** A whole number as text. */
export function digits(): Schema<string> {
  return text({ pattern: /^\d+$/ });
}

/** Text that says something: without white space at its ends. */
export function said(max?: number): Schema<string> {
  return text({ trim: true, min: 1, ...(max === undefined ? {} : { max }) });
}

const TIME = /^(\d{4}-\d\d-\d\d)T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?Z$/;

/** A time of UTC, at a day that there is. */
function isTime(value: string): boolean {
  const [, day = ' '] = TIME.exec(value) ?? [];
  return new Date(value).toJSON()?.startsWith(day) === true;
}

function isUrl(value: string): boolean {
  try {
    return new URL(value).protocol !== '';
  } catch {
    return false;
  }
}

/** A number. */
export function number({
  min,
  above,
  max,
  whole,
}: {
  readonly min?: number;
  readonly above?: number;
  readonly max?: number;
  readonly whole?: boolean;
} = {}): Schema<number> {
  return new Schema((value, path, issues) => {
    if (typeof value !== 'number' || Number.isNaN(value)) return wrong(issues, path, 'number', value);
    if (whole === true && !Number.isInteger(value))
      issues.push({ code: 'invalid_type', path, message: 'Expected integer, received float' });
    if (min !== undefined && value < min)
      issues.push({ code: 'too_small', path, message: `Number must be greater than or equal to ${min}` });
    if (above !== undefined && value <= above) issues.push({ code: 'too_small', path, message: `Number must be greater than ${above}` });
    if (max !== undefined && value > max) issues.push({ code: 'too_big', path, message: `Number must be less than or equal to ${max}` });
    return value;
  });
}

/** True or false. */
export function boolean(): Schema<boolean> {
  return new Schema((value, path, issues) => (typeof value === 'boolean' ? value : wrong(issues, path, 'boolean', value)));
}

/** Any value. */
export function unknown(): Schema<unknown> {
  return new Schema((value) => value);
}

/** One of these texts, which are `options`. */
export class Choice<T extends string> extends Schema<T> {
  readonly options: readonly T[];

  constructor(options: readonly T[]) {
    super((value, path, issues) => {
      if (options.includes(value as T)) return value as T;
      const message = `Invalid enum value. Expected ${options.map((it) => `'${it}'`).join(' | ')}, received '${String(value)}'`;
      issues.push({
        code: value === undefined ? 'invalid_type' : 'invalid_enum_value',
        path,
        message: value === undefined ? 'Required' : message,
      });
      return undefined as unknown as T;
    });
    this.options = options;
  }
}

export function choice<const T extends string>(...options: readonly T[]): Choice<T> {
  return new Choice(options);
}

/** A list. */
export function list<T>(element: Schema<T>): Schema<T[]> {
  return new Schema((value, path, issues) => {
    if (!Array.isArray(value)) return wrong(issues, path, 'array', value);
    return value.map((it: unknown, at) => element.within(it, [...path, at], issues));
  });
}

/** An object as a map. */
export function record<T>(element: Schema<T>): Schema<Record<string, T>> {
  return new Schema((value, path, issues) => {
    if (!isObject(value)) return wrong(issues, path, 'object', value);
    const read: Record<string, T> = {};
    for (const [name, member] of Object.entries(value)) put(read, name, element.within(member, [...path, name], issues));
    return read;
  });
}

export type Shape = Readonly<Record<string, Schema<unknown>>>;
type Optional<S extends Shape> = { [K in keyof S]: undefined extends S[K]['_output'] ? K : never }[keyof S];
type Flat<T> = { [K in keyof T]: T[K] } & {};
export type Members<S extends Shape> = Flat<
  { [K in Exclude<keyof S, Optional<S>>]: S[K]['_output'] } & { [K in Optional<S>]?: S[K]['_output'] }
>;

/** An object with these members, without others. */
export class Form<S extends Shape, T = Members<S>> extends Schema<T> {
  readonly shape: S;

  constructor(shape: S, others: 'strip' | 'keep') {
    super((value, path, issues) => {
      if (!isObject(value)) return wrong(issues, path, 'object', value);
      const read: Record<string, unknown> = {};
      for (const [name, schema] of Object.entries(shape)) {
        const member = schema.within(Object.hasOwn(value, name) ? value[name] : undefined, [...path, name], issues);
        if (member !== undefined) read[name] = member;
      }
      if (others === 'keep') {
        for (const [name, member] of Object.entries(value)) if (!Object.hasOwn(shape, name)) put(read, name, member);
      }
      return read as T;
    });
    this.shape = shape;
  }
}

export function object<S extends Shape>(shape: S): Form<S> {
  return new Form(shape, 'strip');
}

/** The same, with its other members. */
export function loose<S extends Shape>(shape: S): Form<S, Members<S> & { [name: string]: unknown }> {
  return new Form<S, Members<S> & { [name: string]: unknown }>(shape, 'keep');
}

/** One of several objects, told apart by one member. */
export function union<const U extends readonly Form<Shape, unknown>[]>(by: string, ...options: U): Schema<U[number]['_output']> {
  return new Schema((value, path, issues) => {
    if (!isObject(value)) return wrong(issues, path, 'object', value);
    const option = options.find(({ shape }) => shape[by]?.safeParse(value[by]).success === true);
    if (option !== undefined) return option.within(value, path, issues);
    issues.push({ code: 'invalid_union_discriminator', path: [...path, by], message: `Invalid discriminator value of ${by}` });
    return undefined as U[number]['_output'];
  });
}

/** A name such as `__proto__` is a member like any other. */
function put<T>(object: Record<string, T>, name: string, value: T): void {
  Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
}
