/** `/qos/rule-types`: the kinds of QoS rules that exist here, and the values of their parameters. */
import type { FastifyInstance } from 'fastify';
import type { AttributeTable } from '../../model/attribute.ts';
import { toBoolean } from '../../model/checks.ts';
import { refuse } from '../../model/faults.ts';
import { qosRuleKinds, refusedQosRuleTypes } from '../../model/qos-rule.ts';
import {
  arrayOf,
  booleanSchema,
  enumSchema,
  integerSchema,
  objectOf,
  stringSchema,
} from '../../model/schema.ts';
import { parseFields, queryOf } from '../http/paging.ts';
import { refuseRequest } from '../http/request-faults.ts';
import { callerOf } from '../identity/request-caller.ts';
import { type ApiOperation, describes, wrapped } from '../openapi/operation.ts';
import { fieldsParameter } from '../openapi/table-query.ts';

const details = objectOf({
  type: stringSchema,
  drivers: arrayOf(
    objectOf({
      name: stringSchema,
      supported_parameters: arrayOf(
        objectOf({
          parameter_name: stringSchema,
          parameter_type: enumSchema(['range', 'choices']),
          parameter_values: {
            oneOf: [objectOf({ start: integerSchema, end: integerSchema }), { type: 'array' }],
          },
        }),
      ),
    }),
  ),
});

const table: AttributeTable = {
  type: { post: 'refused', put: false, type: stringSchema, about: 'The kind of rule.' },
  drivers: {
    post: 'refused',
    put: false,
    about: 'Who holds to such rules, and what their parameters may be.',
  },
};

const group = 'rule types';

const listOperation: ApiOperation = {
  group,
  summary: 'Lists the kinds of QoS rules',
  query: [
    { name: 'type', about: 'Those of this type.', schema: arrayOf(stringSchema) },
    { name: 'all_rules', about: 'Also those that are not offered here.', schema: booleanSchema },
    { name: 'all_supported', about: 'Those that are offered, as without it.', schema: booleanSchema },
  ],
  answers: { 200: wrapped('rule_types', arrayOf(objectOf({ type: stringSchema }))) },
};

const showOperation: ApiOperation = {
  group,
  summary: 'Shows what the parameters of a kind may be',
  query: [fieldsParameter(table)],
  // `fields` may cut it.
  answers: { 200: wrapped('rule_type', { type: 'object', properties: details.properties ?? {} }) },
};

const offered: readonly string[] = qosRuleKinds.map((kind) => kind.type);
const known: readonly string[] = [...offered, ...refusedQosRuleTypes];

/** The name that clients of Neutron look for. */
const driver = 'openvswitch';

function detailsOf(type: string): Record<string, unknown> {
  if (!known.includes(type)) refuse({ code: 'QosRuleTypeNotFound', type });
  const kind = qosRuleKinds.find((one) => one.type === type);
  const drivers = kind === undefined ? [] : [{ name: driver, supported_parameters: kind.parameters }];
  return { type, drivers };
}

export function registerQosRuleTypes(app: FastifyInstance): void {
  app.get('/v2.0/qos/rule-types', describes(listOperation), async (request) => {
    const query = queryOf(request);
    // `all_supported` means the types of any backend; there is one backend.
    const all = toBoolean(query.get('all_rules') ?? false);
    const wanted = query.getAll('type');
    const types = (all ? known : offered).filter((type) => wanted.length === 0 || wanted.includes(type));
    return { rule_types: types.map((type) => ({ type })) };
  });

  app.get<{ Params: { type: string } }>(
    '/v2.0/qos/rule-types/:type',
    describes(showOperation),
    async (request) => {
      // Details reveal the backend.
      if (!callerOf(request).admin)
        refuseRequest({ code: 'PolicyNotAuthorized', rules: 'rule:get_rule_type' });
      const fields = parseFields(table, queryOf(request));
      const details = Object.entries(detailsOf(request.params.type));
      return { rule_type: Object.fromEntries(details.filter(([name]) => fields?.has(name) ?? true)) };
    },
  );
}
