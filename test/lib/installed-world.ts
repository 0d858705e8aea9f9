/**
 * A world on a real switch: the applier installs the pipeline's flows for it, without store or API. The
 * proofs compare it with the evaluator. It also shows that incremental changes end in the same flows.
 */
import { type Logger, pino } from 'pino';
import { Cutter } from '../../src/agent/connections/cutter.ts';
import { Applier } from '../../src/agent/flows/applier.ts';
import { routerErrors } from '../../src/agent/punts/router-errors.ts';
import { sendFromRouter } from '../../src/agent/punts/send-out.ts';
import { Drift } from '../../src/agent/switch/drift.ts';
import { mapPortKeyOption } from '../../src/agent/switch/geneve-option.ts';
import { Metering, meterSupport } from '../../src/agent/switch/metering.ts';
import type { TunnelType } from '../../src/model/vtep.ts';
import { formatCidr } from '../../src/net/cidr.ts';
import { type PacketIn, Session } from '../../src/openflow/index.ts';
import type { Control } from '../../src/ovsdb/index.ts';
import { Pipeline, type PipelineOptions } from '../../src/pipeline/flow-derivation.ts';
import { readPuntData } from '../../src/pipeline/punt-data.ts';
import type { Zone } from '../../src/pipeline/zone.ts';
import type { NetworkId, PortId, World } from '../../src/policy/world.ts';
import { networkKeyOf, zone as newZone, portKeyOf } from './keys.ts';

const mapped = <K, V, W>(map: ReadonlyMap<K, V>, to: (value: V, key: K) => W): Map<K, W> =>
  new Map([...map].map(([key, value]) => [key, to(value, key)]));

export interface InstalledWorldOptions extends Pick<PipelineOptions, 'maxCountedApart' | 'host'> {
  readonly answersNd?: boolean;
}

export class InstalledWorld {
  readonly pipeline: Pipeline;
  readonly session: Session;
  readonly #log: Logger;
  readonly #applier: Applier;
  readonly #metering: Metering;
  readonly #zones = new Map<NetworkId, Zone>();
  /** Problems that the applier reports. Without them, a flow that it left out would show only as a denial. */
  readonly #troubles: string[] = [];

  #errors = 0;
  #cutter: Cutter | null = null;
  readonly #refusals: 'fail' | 'leave out';
  readonly #answersNd: boolean;

  /**
   * `target` is the bridge's OpenFlow service. `refusals` says what to do when the switch refuses a flow.
   * `maxCountedApart` and `answersNd` change the pipeline's counters and the datapath's assumed features.
   */
  constructor(
    target: string,
    refusals: 'fail' | 'leave out' = 'fail',
    { answersNd = true, ...options }: InstalledWorldOptions = {},
  ) {
    this.#refusals = refusals;
    this.pipeline = new Pipeline(options);
    this.#answersNd = answersNd;
    this.#log = pino({ level: 'error' }, { write: (line: string) => this.#troubles.push(line) });
    this.#applier = new Applier({
      desired: this.pipeline.desired,
      log: this.#log,
      drift: new Drift(this.#log),
      tightening: this.pipeline.tightening,
    });
    this.#metering = new Metering(this.#log);
    this.session = Session.connect({ target, onPacketIn: (packet) => this.#handle(packet) });
  }

  /** The network's conntrack zone. */
  zoneOf(network: NetworkId): Zone {
    let zone = this.#zones.get(network);
    if (zone === undefined) this.#zones.set(network, (zone = newZone(this.#zones.size + 1)));
    return zone;
  }

  /**
   * Makes the switch hold exactly this world. `ofports` says which of its ports are plugged, and where.
   * Rejects when the switch refused any flow of it.
   */
  async install(
    world: World,
    ofports: ReadonlyMap<PortId, number>,
    tunnels: ReadonlyMap<TunnelType, number> = new Map(),
    patches: ReadonlyMap<string, number> = new Map(),
  ): Promise<void> {
    await this.session.ready();
    const support = await meterSupport(this.session);
    const abilities = { answersNd: this.#answersNd, meterSpread: support.spread };
    this.pipeline.facts.abilities.set('switch', abilities);
    if (tunnels.size > 0) await mapPortKeyOption(this.session);
    this.set(world, ofports, tunnels, patches);
    this.pipeline.run();
    this.#metering.onConnected(support);
    await this.#metering.prepare(this.session, this.pipeline);
    await this.#applier.apply(this.session);
    this.#checkTroubles();
  }

  /** Of all that the switch gives to the agent, routers' errors alone are handled here. */
  #handle({ data, metadata: fields, userdata }: PacketIn): void {
    const about = readPuntData(userdata ?? new Uint8Array());
    if (about?.kind !== 'router-error') return;
    this.#errors += 1;
    const { networkKey, key } = about;
    const [local] = this.pipeline.relations.localsByKey.get(`${networkKey}|${key}`)?.values() ?? [];
    if (local === undefined) return;
    const outcome = routerErrors.handle({ data, fields, local }, this.pipeline);
    if (outcome.kind === 'router-sends') sendFromRouter(this.session, { inPort: local.ofport, ...outcome });
  }

  /** Until routers have told what they had to tell. */
  async answered(): Promise<void> {
    for (let before = -1; before !== this.#errors; ) {
      before = this.#errors;
      await this.session.barrier();
    }
  }

  /** Does the agent's work after a change: cuts the connections that the world no longer allows, and counts them. */
  async cut(control: Control): Promise<number> {
    this.#cutter ??= new Cutter({
      pipeline: this.pipeline,
      follows: () => true,
      session: () => this.session,
      log: this.#log,
      connections: (zone) => control.dumpConntrack(zone),
      onKernel: () => false,
      // Deletes all megaflows instead of waiting for their revalidation.
      revalidated: async () => void (await control.call('revalidator/purge')),
    });
    const before = this.#cutter.counts.connections;
    await this.#cutter.cut();
    this.#checkTroubles();
    return this.#cutter.counts.connections - before;
  }

  #checkTroubles(): void {
    const troubles = this.#troubles.splice(0);
    if (troubles.length > 0 && this.#refusals === 'fail')
      throw new Error(`the switch does not hold the world: ${troubles.join('')}`);
  }

  /** `tunnels`, `patches`: OpenFlow port numbers of the ports to other hosts and to physical networks. */
  set(
    world: World,
    ofports: ReadonlyMap<PortId, number>,
    tunnels: ReadonlyMap<TunnelType, number> = new Map(),
    patches: ReadonlyMap<string, number> = new Map(),
  ): void {
    const { facts } = this.pipeline;
    const replace = <K extends string, V>(
      input: { set(key: K, value: V): void; delete(key: K): void; entries(): IterableIterator<[K, V]> },
      wanted: ReadonlyMap<K, V>,
    ): void => {
      for (const [key] of input.entries()) if (!wanted.has(key)) input.delete(key);
      for (const [key, value] of wanted) input.set(key, value);
    };
    replace(facts.networks, world.networks);
    replace(
      facts.networkKeys,
      mapped(world.networks, (_, network) => networkKeyOf(network)),
    );
    replace(facts.portKeys, mapped(world.ports, portKeyOf));
    replace(facts.subnets, world.subnets);
    replace(facts.ports, world.ports);
    replace(facts.groups, world.groups);
    replace(facts.rules, world.rules);
    replace(facts.addressGroups, world.addressGroups);
    replace(facts.routers, world.routers);
    replace(
      facts.linkLocals,
      new Map(world.linkLocals.map((item) => [`${item.network}|${formatCidr(item.address)}`, item])),
    );
    replace(
      facts.owners,
      new Map(world.owners.map((item) => [`${item.network}|${formatCidr(item.address)}`, item])),
    );
    const networks = new Set([...world.ports.values()].map(({ network }) => network));
    replace(facts.zones, new Map([...networks].map((network) => [network, this.zoneOf(network)])));
    replace(facts.ofports, ofports);
    replace(facts.vteps, world.vteps);
    replace(facts.tunnels, tunnels);
    replace(facts.patches, patches);
  }

  async close(): Promise<void> {
    await this.session.close();
  }
}
