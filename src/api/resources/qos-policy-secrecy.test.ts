import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Authenticator } from '../identity/authenticator.ts';
import { newCaller } from '../identity/caller.ts';
import { clientOf, expectRefusal, openUnderTest, type UnderTest } from '../testing/api-under-test.ts';
import { as, byName } from '../testing/people.ts';

/** Who has a say in the owner's policies, and everybody else. */
const manager = newCaller({ user: 'manager', project: 'own', roles: ['manager'] });
const withManager: Authenticator = {
  ...byName,
  callerOf: (headers) => (headers['x-auth-token'] === 'boss' ? manager : byName.callerOf(headers)),
};

let under: UnderTest;
beforeEach(async () => {
  under = await openUnderTest('memory');
});
afterEach(() => under.close());

it('who may not remove a policy that is in use is told of their own users alone', async () => {
  const { api } = await under.server({ authenticator: withManager });
  const policy = await as(api, 'admin').make('qos/policies', { project_id: 'own', shared: true });
  const url = `/v2.0/qos/policies/${String(policy['id'])}`;
  const removal = async (token: string) =>
    expectRefusal(await clientOf(api, { 'x-auth-token': token }).call('DELETE', url), 409, 'QosPolicyInUse');
  const used = { qos_policy_id: policy['id'] };
  const foreign = await as(api, 'stranger').make('networks', used);
  expect(await removal('boss')).toBe(
    `QoS Policy ${String(policy['id'])} is used by network of another project.`,
  );
  expect(await removal('admin')).toContain(`network ${String(foreign['id'])}.`);
  const port = await as(api, 'stranger').make('ports', { ...used, network_id: foreign['id'] });
  expect(await removal('boss')).toContain('used by port of another project.');
  expect(await removal('admin')).toContain(`port ${String(port['id'])}.`);
  const own = await as(api, 'owner').make('networks', used);
  expect(await removal('boss')).toContain(`network ${String(own['id'])}.`);
});
