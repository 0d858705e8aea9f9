/** The OpenAPI 3.1 document of the routes that have a description. Knows no resource and no route by name. */
import type { Schema } from '../../model/schema.ts';
import type { ApiOperation, QueryParameter } from './operation.ts';

export interface DocumentedRoute {
  /** In capitals. */
  readonly method: string;
  /** As the router has it, with `:name` for the parts that vary. */
  readonly url: string;
  readonly operation: ApiOperation;
  /** It needs no token. */
  readonly open: boolean;
}

export interface DocumentOptions {
  /** Whether callers must show a token at all. */
  readonly tokens: boolean;
  /** The types of all refusals, by status. */
  readonly refusals: ReadonlyMap<number, readonly string[]>;
}

type Json = Readonly<Record<string, unknown>>;

const parts = (url: string): readonly string[] => [...url.matchAll(/:(\w+)/g)].map(([, name = '']) => name);
const templateOf = (url: string): string => url.replaceAll(/:(\w+)/g, '{$1}');

const idOfPath = ({ method, url }: DocumentedRoute): string =>
  [method.toLowerCase(), ...url.replaceAll(':', 'by_').split(/[^A-Za-z0-9]+/)].filter(Boolean).join('_');

const queryParameter = ({ name, about, schema }: QueryParameter): Json => ({
  name,
  in: 'query',
  description: about,
  schema,
  ...(schema.type === 'array' ? { style: 'form', explode: true } : {}),
});

const ifMatch: Json = {
  name: 'If-Match',
  in: 'header',
  description: 'The revision that it must have: `revision_number=N`; `*` for any.',
  schema: { type: 'string', pattern: '^("?revision_number=\\d+"?|\\*)$' },
};

/** Statuses of refusals that a method may be answered with. */
function refusalsOf(
  { method, url, open, operation }: DocumentedRoute,
  { tokens }: DocumentOptions,
): readonly number[] {
  const writes = method === 'POST' || method === 'PUT';
  const named = writes || parts(url).length > 0;
  const statuses = [
    400,
    ...(open || !tokens ? [] : [401]),
    403,
    ...(named ? [404] : []),
    ...(writes || method === 'DELETE' ? [409, 412] : []),
    ...(writes ? [413, 415] : []),
    500,
    503,
    ...(operation.refusals ?? []),
  ];
  return [...new Set(statuses)].sort((a, b) => a - b);
}

const content = (schema: Schema, media = 'application/json'): Json => ({ content: { [media]: { schema } } });

const reasons: Readonly<Record<string, string>> = {
  200: 'Done.',
  201: 'Made.',
  204: 'Done; there is nothing to say.',
  400: 'The request is malformed or asks for something impossible.',
  401: 'No token, or one that is not good.',
  403: 'The caller may not do this.',
  404: 'What the request names is not there, or not for the caller to know of.',
  409: 'It contradicts what is there.',
  412: 'It has another revision than `If-Match` says.',
  413: 'The body is too large, or changes more than the store can write at once.',
  415: 'The body is not JSON.',
  500: 'A mistake of the server.',
  503: 'Something that the server needs is away; trying again later is right.',
  504: 'Not all was done in time.',
};

const reasonOf = (status: string): string => reasons[status] ?? `Status ${status}.`;

function answersOf(route: DocumentedRoute, around: DocumentOptions): Json {
  const { answers, media } = route.operation;
  const own = Object.entries(answers).map(([status, schema]) => [
    status,
    { description: reasonOf(status), ...(schema === null ? {} : content(schema, media)) },
  ]);
  const refused = refusalsOf(route, around)
    .filter((status) => !Object.hasOwn(answers, status))
    .map((status) => [String(status), { $ref: `#/components/responses/refused_${status}` }]);
  return Object.fromEntries([...own, ...refused]) as Json;
}

function operationOf(route: DocumentedRoute, id: string, around: DocumentOptions): Json {
  const { url, operation, open } = route;
  const { group, summary, details, query = [], path = {}, body, conditional } = operation;
  const parameters = [
    ...parts(url).map((name) => ({
      name,
      in: 'path',
      required: true,
      description: path[name] ?? (name === 'id' ? 'Its `id`.' : `The ${name}.`),
      schema: { type: 'string' },
    })),
    ...query.map(queryParameter),
    ...(conditional === true ? [ifMatch] : []),
  ];
  return {
    operationId: id,
    tags: [group],
    summary,
    ...(details === undefined ? {} : { description: details }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: { required: true, ...content(body) } }),
    responses: answersOf(route, around),
    ...(open && around.tokens ? { security: [] } : {}),
  };
}

const errorSchema = (types: readonly string[]): Schema => ({
  type: 'object',
  properties: {
    NeutronError: {
      type: 'object',
      properties: {
        type: { type: 'string', enum: types },
        message: { type: 'string' },
        detail: { type: 'string' },
      },
      required: ['type', 'message', 'detail'],
    },
  },
  required: ['NeutronError'],
});

/** The format of Keystone's middleware. */
const strangerSchema: Schema = {
  type: 'object',
  properties: {
    error: {
      type: 'object',
      properties: {
        code: { type: 'integer' },
        title: { type: 'string' },
        message: { type: 'string' },
      },
      required: ['code', 'title', 'message'],
    },
  },
  required: ['error'],
};

function refusedAnswers({ refusals }: DocumentOptions): Json {
  return Object.fromEntries(
    [...refusals].map(([status, types]) => [
      `refused_${status}`,
      {
        description: reasonOf(String(status)),
        ...(status === 401
          ? {
              headers: {
                'WWW-Authenticate': { description: 'Who gives tokens.', schema: { type: 'string' } },
              },
            }
          : {}),
        ...content(status === 401 ? strangerSchema : errorSchema(types)),
      },
    ]),
  );
}

export function documentOf(routes: readonly DocumentedRoute[], around: DocumentOptions): Json {
  const paths: Record<string, Record<string, unknown>> = {};
  const schemas: Record<string, Schema> = {};
  const ids = new Set<string>();
  for (const route of routes) {
    // An operation with several paths has its name at the first one.
    const { id: name } = route.operation;
    const id = name === undefined || ids.has(name) ? idOfPath(route) : name;
    ids.add(id);
    Object.assign(schemas, route.operation.components);
    (paths[templateOf(route.url)] ??= {})[route.method.toLowerCase()] = operationOf(route, id, around);
  }
  const groups = [...new Set(routes.map(({ operation }) => operation.group))];
  const schemes = {
    token: {
      type: 'apiKey',
      in: 'header',
      name: 'X-Auth-Token',
      description: 'A token of Keystone or of the token file, whichever the server goes by.',
    },
  };
  return {
    openapi: '3.1.0',
    info: {
      title: 'Portcullis',
      version: '2.0',
      description:
        'Neutron\'s API v2.0 and the operator\'s own paths. Requests may spell values as freely as Neutron lets them (`"true"`, ' +
        '`"5"`, `IPV4`); what is described is how they are stored and shown. Unknown query parameters of lists are refused.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: groups.map((name) => ({ name })),
    ...(around.tokens ? { security: [{ token: [] }] } : {}),
    paths,
    components: {
      schemas,
      responses: refusedAnswers(around),
      ...(around.tokens ? { securitySchemes: schemes } : {}),
    },
  };
}
