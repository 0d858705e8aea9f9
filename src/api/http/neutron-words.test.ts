/** What Neutron answers to requests that are wrong, word for word, as the real one was heard to say it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  expectRefusal,
  type Json,
  openUnderTest,
  type TestClient,
  type UnderTest,
} from '../testing/api-under-test.ts';

let under: UnderTest;
let client: TestClient;
let network: string;
beforeAll(async () => {
  under = await openUnderTest('memory');
  client = await under.server();
  network = String((await client.make('networks', { name: 'one' }))['id']);
  await client.make('networks', { name: 'two' });
});
afterAll(() => under.close());

const path = (url: string): string => `/v2.0/${url.replace('ONE', network)}`;
const bad = (text: string) => ({ type: 'HTTPBadRequest', text });
const invalid = (text: string) => ({
  type: 'InvalidInput',
  text: `Invalid input for operation: ${text}.`,
});

describe('a body', () => {
  const noData = bad('Body contains invalid data');
  const none = bad("Unable to find 'network' in request body");
  const noObject = bad("Object 'network' contains invalid data");
  it.each([
    ['', none],
    ['{', noData],
    ['[]', noData],
    ['null', noData],
    ['7', noData],
    ['{}', none],
    ['{"network": null}', none],
    ['{"network": []}', noObject],
    ['{"network": "x"}', noObject],
    ['{"network": {"colour": 1}}', bad("Unrecognized attribute(s) 'colour'")],
  ])('%s', async (body, { type, text }) => {
    for (const [method, url] of [
      ['POST', 'networks'],
      ['PUT', 'networks/ONE'],
    ] as const) {
      const headers = { 'content-type': 'application/json' };
      const reply = await client.call(method, path(url), body === '' ? undefined : body, headers);
      expect(expectRefusal(reply, 400, type), method).toBe(text);
    }
  });

  it.each([
    ['{"networks": []}', bad('Resources required')],
    ['{"networks": null}', bad('Resources required')],
    ['{"networks": {}}', bad('Resources required')],
    ['{"networks": [1]}', noData],
    ['{"networks": [{}, null]}', noData],
    ['{"networks": ["x"]}', noObject],
  ])('of many: %s', async (body, { type, text }) => {
    expect(expectRefusal(await client.call('POST', path('networks'), body), 400, type)).toBe(text);
    const update = await client.call('PUT', path('networks/ONE'), body);
    expect(expectRefusal(update, 400, 'HTTPBadRequest')).toBe('Bulk operation not supported');
  });

  it('of many may wrap each of them', async () => {
    const body = { networks: [{ network: { name: 'wrapped' } }, { name: 'bare' }] };
    const reply = await client.call('POST', path('networks'), body);
    expect((reply.body['networks'] as Json[]).map(({ name }) => name)).toEqual(['wrapped', 'bare']);
    for (const { id } of reply.body['networks'] as Json[]) await client.remove('networks', id);
  });

  it('of a removal', async () => {
    const reply = await client.call('DELETE', path('networks/ONE'), {});
    expect(expectRefusal(reply, 400, 'HTTPBadRequest')).toBe('Request body is not supported in DELETE.');
  });
});

describe('values', () => {
  it.each([
    [{ mtu: null }, invalid("'None' is not an integer")],
    [{ mtu: '' }, invalid("'' is not an integer")],
    [{ mtu: ['a'] }, invalid("'['a']' is not an integer")],
    [{ mtu: -1 }, bad("Invalid input for mtu. Reason: '-1' should be non-negative.")],
    [{ shared: null }, invalid("'None' cannot be converted to boolean")],
    [{ shared: 'perhaps' }, invalid("'perhaps' cannot be converted to boolean")],
    [{ project_id: 7 }, bad("Invalid input for tenant_id. Reason: '7' is not a valid string.")],
    [{ status: 'UP', mtu: 'x' }, bad("Attribute 'status' not allowed in POST")],
  ])('%j', async (network, { type, text }) => {
    const reply = await client.call('POST', path('networks'), { network });
    expect(expectRefusal(reply, 400, type)).toBe(text);
  });

  it('that are missing come before those that are wrong', async () => {
    const reply = await client.call('POST', path('subnets'), { subnet: { enable_dhcp: 'x', ip_version: 4 } });
    expect(expectRefusal(reply, 400, 'HTTPBadRequest')).toBe(
      "Failed to parse request. Required attribute 'network_id' not specified",
    );
  });

  it.each([
    [' 1 ', true],
    ['YES', true],
    ['off', false],
    ['n', false],
  ])('%j is a boolean', async (word, value) => {
    expect((await client.change('networks', network, { admin_state_up: word }))['admin_state_up']).toBe(
      value,
    );
  });

  it('that an update must not name', async () => {
    const reply = await client.call('PUT', path('networks/ONE'), { network: { tenant_id: 'x', name: 7 } });
    expect(expectRefusal(reply, 400, 'HTTPBadRequest')).toBe('Cannot update read-only attribute tenant_id');
  });
});

describe('conditions', () => {
  it.each(['revision_number=x', 'revision_number=1, revision_number=2', '"x"', ''])('%j', async (text) => {
    const headers = { 'if-match': text };
    const reply = await client.call('PUT', path('networks/ONE'), { network: {} }, headers);
    expect(expectRefusal(reply, 400, 'BadRequest')).toBe(
      'Bad if-match request: Revision number etag must be in the format of revision_number=<int>.',
    );
  });

  it('that any revision meets', async () => {
    const reply = await client.call('PUT', path('networks/ONE'), { network: {} }, { 'if-match': '*' });
    expect(reply.status).toBe(200);
  });

  it('that are not met', async () => {
    const headers = { 'if-match': 'revision_number=999' };
    const reply = await client.call('PUT', path('networks/ONE'), { network: {} }, headers);
    expect(expectRefusal(reply, 412, 'RevisionNumberConstraintFailed')).toMatch(
      /^Constrained to 999, but current revision is \d+$/,
    );
  });
});

describe('a query', () => {
  const limit = (text: string) => ({
    type: 'BadRequest',
    text: `Bad limit request: Limit must be an integer 0 or greater and not '${text}'.`,
  });
  const count = bad('The number of sort_keys and sort_dirs must be same');
  it.each([
    ['colour=1&tint=2', bad("['colour', 'tint'] is invalid attribute for filtering")],
    ['mtu=', invalid("'' is not an integer")],
    ['limit=', limit('')],
    ['limit=-1', limit('-1')],
    ['limit=1.5', limit('1.5')],
    ['sort_key=name', count],
    ['sort_key=name&sort_dir=', count],
    ['sort_key=name&sort_dir=asc&sort_dir=asc', count],
    ['sort_key=nope&sort_dir=nope', bad("['nope'] is invalid attribute for sort_keys")],
    [
      'sort_key=name&sort_dir=up',
      bad("['up'] is invalid value for sort_dirs, valid value is 'asc' and 'desc'"),
    ],
  ])('%s', async (query, { type, text }) => {
    const reply = await client.call('GET', path(`networks?${query}`));
    expect(expectRefusal(reply, 400, type)).toBe(text);
  });

  it.each([
    ['subnets?cidr=x', 'InvalidInput'],
    ['security-group-rules?protocol=x', 'SecurityGroupRuleInvalidProtocol'],
    ['security-group-rules?ethertype=x', 'SecurityGroupRuleInvalidEtherType'],
    ['security-group-rules?port_range_min=x', 'SecurityGroupInvalidPortValue'],
    ['ports?fixed_ips=x', 'InvalidInput'],
    ['ports?fixed_ips==x', 'InvalidInput'],
  ])('%s asks for what cannot be', async (url, type) => {
    expectRefusal(await client.call('GET', path(url)), 400, type);
  });

  it('means what it says in whatever spelling', async () => {
    const of = { network_id: network };
    const subnet = await client.make('subnets', {
      ...of,
      ip_version: 6,
      cidr: 'fd00::/64',
      gateway_ip: null,
    });
    const port = await client.make('ports', { ...of, mac_address: 'fa:16:3e:00:00:0a', fixed_ips: [] });
    for (const cidr of ['FD00::/64', 'fd00::5/64', 'fd00:0:0::/64'])
      expect(await client.list('subnets', `cidr=${cidr}`)).toHaveLength(1);
    expect(await client.list('ports', 'mac_address=FA-16-3E-00-00-0A')).toHaveLength(1);
    expect(await client.list('ports', 'fixed_ips=True')).toHaveLength(1);
    expect(await client.list('networks', 'sort_key=&sort_dir=')).toHaveLength(2);
    expect(await client.list('networks', `marker=${network}`)).toHaveLength(2);
    expect(await client.list('networks', 'limit=1&limit=2')).toHaveLength(2);
    await client.remove('ports', port['id']);
    await client.remove('subnets', subnet['id']);
  });

  it('goes on from what has changed since, and turns round without pages', async () => {
    const names = async (query: string) => (await client.list('networks', query)).map(({ name }) => name);
    const sorted = 'sort_key=name&sort_dir=asc';
    expect(await names(`${sorted}&page_reverse=True`)).toEqual(['two', 'one']);
    expect(await names(`${sorted}&limit=5&name=two&marker=${network}`)).toEqual(['two']);
    expect(await names(`${sorted}&limit=5&name=two&marker=${network}&page_reverse=True`)).toEqual([]);
  });

  it('has links from a page to the pages beside it, an empty one too', async () => {
    const links = async (query: string) =>
      (await client.call('GET', path(`networks?name=nobody&${query}`))).body['networks_links'];
    const url = 'http://127.0.0.1:9696/v2.0/networks?name=nobody&limit=1';
    expect(await links('limit=1')).toEqual([{ rel: 'previous', href: `${url}&page_reverse=True` }]);
    expect(await links('limit=1&page_reverse=True')).toEqual([{ rel: 'next', href: url }]);
    const { body } = await client.call('GET', path('networks?marker=&limit=1&sort_key=name&sort_dir=asc'));
    expect((body['networks_links'] as { href: string }[])[0]?.href).toBe(
      `http://127.0.0.1:9696/v2.0/networks?limit=1&sort_key=name&sort_dir=asc&marker=${network}`,
    );
  });
});

describe('a path', () => {
  it('may have underscores for dashes', async () => {
    const { body } = await client.call('GET', '/v2.0/security_groups?name=default');
    const [group] = body['security_groups'] as Json[];
    const one = await client.call('GET', `/v2.0/security_groups/${String(group?.['id'])}`);
    expect(one.body).toEqual({ security_group: group });
    expect((await client.call('GET', '/v2.0/security_group_rules.json?name_=1')).status).toBe(400);
    expect((await client.call('GET', '/v2.0/availability_zones')).status).toBe(200);
    expectRefusal(await client.call('GET', '/v2.0/security_grouped'), 404, 'HTTPNotFound');
  });

  it.each(['/v2.0/networks.json?name=one', '//v2.0//networks?name=one', '/v2.0/networks/?name=one'])(
    '%s',
    async (url) => {
      const { status, body } = await client.call('GET', url);
      expect(status).toBe(200);
      expect(body['networks']).toHaveLength(1);
    },
  );

  it('leads to JSON without a charset, whatever is answered', async () => {
    for (const url of ['/', '/v2.0/networks', '/v2.0/extensions', '/v2.0/nope', path('networks/ONE')]) {
      const reply = await client.api.app.inject({ url, headers: { host: '127.0.0.1' } });
      expect(reply.headers['content-type'], url).toBe('application/json');
    }
  });
});
