/**
 * Holds answers to the server's own OpenAPI document, more strictly than clients are asked to: nothing may be shown that is
 * not described, and nothing may be missing that is always shown. Must not be used outside tests.
 */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { parseCidr, parseIp } from '../../net/cidr.ts';
import { parseMac } from '../../net/mac.ts';

type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isPrefix = (value: string): boolean => value.includes('/') && parseCidr(value) !== null;

export const formats: Readonly<Record<string, (value: string) => boolean>> = {
  uuid: (value) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value),
  'date-time': (value) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(value),
  ip: (value) => parseIp(value) !== null,
  cidr: isPrefix,
  'ip-or-cidr': (value) => parseIp(value) !== null || isPrefix(value),
  mac: (value) => parseMac(value) === value,
};

/** The value with every object in it replaced by what `change` makes of it, innermost first. */
function rewritten(value: unknown, change: (object: Json) => Json): unknown {
  if (Array.isArray(value)) return value.map((item) => rewritten(item, change));
  if (!isObject(value)) return value;
  return change(
    Object.fromEntries(Object.entries(value).map(([key, part]) => [key, rewritten(part, change)])),
  );
}

export interface Exchange {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly status: number;
  /** Undefined when the answer has no body. */
  readonly body: unknown;
}

interface Described {
  readonly template: string;
  readonly pattern: RegExp;
  readonly operations: Json;
}

const pointer = (...parts: readonly string[]): string =>
  parts.map((part) => `/${part.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');

/** Attributes that are not described by their names. */
const wordsOf = ({ errors }: ValidateFunction): string =>
  (errors ?? [])
    .map(({ instancePath, message, params }) => {
      const extra: unknown = params['additionalProperty'];
      return `body${instancePath} ${message ?? ''}${typeof extra === 'string' ? ` (${extra})` : ''}`;
    })
    .join(', ');

export class Contract {
  readonly document: Json;
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true, formats });
  readonly #paths: readonly Described[];
  readonly #compiled = new Map<string, ValidateFunction>();

  constructor(text: string) {
    this.document = JSON.parse(text) as Json;
    const schemas = (this.document['components'] as { schemas: Json }).schemas;
    const closed = Object.fromEntries(
      Object.entries(schemas).map(([name, schema]) => [
        name,
        Object.hasOwn(schemas, `${name}_whole`) && isObject(schema)
          ? { ...schema, additionalProperties: false }
          : schema,
      ]),
    );
    const strict = {
      ...this.document,
      components: { ...(this.document['components'] as Json), schemas: closed },
    };
    this.#ajv.addSchema(strict, 'some');
    // What `fields` does not cut is whole.
    const whole = rewritten(strict['paths' as keyof typeof strict], (object) => {
      const ref = object['$ref'];
      const name = typeof ref === 'string' ? `${ref.slice(ref.lastIndexOf('/') + 1)}_whole` : '';
      return Object.hasOwn(schemas, name) ? { $ref: `${String(ref)}_whole` } : object;
    });
    this.#ajv.addSchema({ ...strict, paths: whole }, 'whole');
    const paths = Object.entries(this.document['paths'] as Json).map(([template, operations]) => ({
      template,
      pattern: new RegExp(
        `^${template.replaceAll(/[.*+?^$()|[\]\\]/g, '\\$&').replaceAll(/\{\w+\}/g, '[^/]+')}$`,
      ),
      operations: operations as Json,
    }));
    // Words before names, as routers have it.
    this.#paths = paths.toSorted((a, b) => a.template.split('{').length - b.template.split('{').length);
  }

  /** What is wrong with the answer; null when it is as the document says. */
  problemOf({ method, url, status, body }: Exchange): string | null {
    const [path = '', query = ''] = url.split('?');
    // Paths may be spelled as freely as Neutron lets them.
    const plain = path
      .replaceAll(/\/{2,}/g, '/')
      .replace(/(?<=.)\/$/, '')
      .replace(/^\/v2\.0\/(?!availability_)\w+/, (start) => start.replaceAll('_', '-'))
      .replace(/(?<=^\/v2\.0\/(?!.*\/tags\/).*)\.json$/, '');
    const found = this.#paths.find(({ pattern }) => pattern.test(plain));
    const operation = found?.operations[method.toLowerCase()];
    if (found === undefined || !isObject(operation)) {
      const refused = status >= 400 || method === 'HEAD' || method === 'OPTIONS';
      return refused ? null : `${method} ${path} is not described, but was answered with ${status}`;
    }
    const what = `${method} ${found.template} ${status}`;
    const responses = operation['responses'] as Json;
    if (!Object.hasOwn(responses, String(status))) return `${what} is not described`;
    const place = ['paths', found.template, method.toLowerCase(), 'responses', String(status)];
    const response = responses[String(status)] as Json;
    const shared = typeof response['$ref'] === 'string';
    const content = isObject(response['content']) ? response['content'] : {};
    if (!shared && Object.keys(content).length === 0)
      return body === undefined ? null : `${what} has a body, which is not described`;
    const media = shared ? 'application/json' : (Object.keys(content)[0] ?? '');
    const at = shared ? String(response['$ref']).slice(1) : pointer(...place);
    const parameters: readonly unknown[] = Array.isArray(operation['parameters'])
      ? operation['parameters']
      : [];
    const cut =
      parameters.some((one) => isObject(one) && one['name'] === 'fields') && /(^|&)fields=/.test(query);
    const validate = this.#schemaAt(`${cut ? 'some' : 'whole'}#${at}${pointer('content', media, 'schema')}`);
    if (validate(body)) return null;
    return `${what}: ${wordsOf(validate)}: ${JSON.stringify(body)}`;
  }

  /** What is wrong with a body as a request of this operation; null when it is as the document says. */
  problemOfRequest(method: string, template: string, body: unknown): string | null {
    const at = pointer(
      'paths',
      template,
      method.toLowerCase(),
      'requestBody',
      'content',
      'application/json',
      'schema',
    );
    const validate = this.#schemaAt(`some#${at}`);
    return validate(body) ? null : wordsOf(validate);
  }

  #schemaAt(ref: string): ValidateFunction {
    const held = this.#compiled.get(ref);
    if (held !== undefined) return held;
    const validate = this.#ajv.getSchema(
      ref.replace(/#.*/s, (part) => encodeURI(part).replaceAll('%23', '#')),
    );
    if (validate === undefined) throw new Error(`the document has no ${ref}`);
    this.#compiled.set(ref, validate);
    return validate;
  }
}
