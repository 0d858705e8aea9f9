/**
 * A megaflow is as narrow as the flows. For each guard, allowed and forbidden frames with almost equal fields
 * are sent, each while the megaflows of the others exist. Through real ports, so it runs on either datapath.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PortId } from '../../src/policy/world.ts';
import { InstalledWorld } from '../lib/installed-world.ts';
import { covers, type FrameFields, fieldsOfFrame, type Megaflow, megaflowsOf } from '../lib/megaflows.ts';
import { describeRoot, type Guest, startGuest } from '../lib/netns.ts';
import { Probe } from '../lib/probe.ts';
import { type Switch, startSwitch } from '../lib/switch.ts';
import { until } from '../lib/wait.ts';
import { arpMatrix } from './matrix/arp-matrix.ts';
import { ipMatrix } from './matrix/ip-matrix.ts';
import { type Entry, matrixWorld } from './matrix/matrix.ts';
import { ndMatrix } from './matrix/nd-matrix.ts';

const bridge = 'br0';
/** Entries of each kind that one neighbourhood has; more would add nothing. */
const mostOfKind = 40;
/** Milliseconds. */
const deciding = { timeout: 10_000, interval: 50 };

interface Letter {
  readonly name: string;
  readonly bytes: Buffer;
  readonly fields: FrameFields;
}

/** The frames of one guard, in one wrapping. */
interface Neighbourhood {
  readonly name: string;
  readonly truths: readonly Letter[];
  readonly lies: readonly Letter[];
}

const wrappings: ReadonlySet<string> = new Set(['plain', 'hop-by-hop', 'destination options']);

function spread<T>(items: readonly T[], most: number): T[] {
  const step = Math.max(1, items.length / most);
  return Array.from({ length: Math.min(items.length, most) }, (_, at) => items[Math.floor(at * step)] as T);
}

/** The short version of a matrix: single frames, chosen by the beginning of the entry's name, in three wrappings. */
function neighbourhoods(entries: readonly Entry[]): Neighbourhood[] {
  const groups = new Map<string, { truths: Letter[]; lies: Letter[] }>();
  const known = new Set<string>();
  for (const { name, frames, expected } of entries) {
    const words = name.split(', ');
    const wrapping = words.at(-1) ?? '';
    const kind = /^(ARP|RARP|NS|NA|RS|RA|MLD\S*|redirect|IPv[46] [a-z]+ ?[a-z]*)/.exec(name)?.[0];
    const [bytes] = frames;
    if (frames.length > 1 || kind === undefined || !wrappings.has(wrapping)) continue;
    // Equal frames, such as answers without their distinguishing option, are one letter.
    if (known.has(bytes.toString('latin1'))) continue;
    known.add(bytes.toString('latin1'));
    const key = `${kind}, ${wrapping}`;
    const group = groups.get(key) ?? { truths: [], lies: [] };
    groups.set(key, group);
    const letter = { name, bytes, fields: fieldsOfFrame(bytes) };
    (expected === 'pass' ? group.truths : group.lies).push(letter);
  }
  return [...groups].map(([name, { truths, lies }]) => ({
    name,
    truths: spread(truths, mostOfKind),
    lies: spread(lies, mostOfKind),
  }));
}

const keyOf = ({ bytes }: { readonly bytes: Buffer }): string => bytes.toString('latin1');

describeRoot('what the datapath has cached', () => {
  let at: Switch;
  let installed: InstalledWorld;
  let [self, peer]: Guest[] = [];
  let [sender, receiver]: Probe[] = [];
  const escaped = new Set<string>();
  const lies = new Map<string, string>();

  const need = <T>(value: T | undefined): T => value ?? expect.unreachable();

  beforeAll(async () => {
    at = await startSwitch();
    await at.addBridge(bridge);
    const features = await at.control.datapathFeatures(bridge);
    const answersNd = features.get('IPv6 ND Extension') === 'Yes';
    installed = new InstalledWorld(at.mgmt(bridge), 'fail', { answersNd });
    const ofports = new Map<PortId, number>();
    for (const id of ['self', 'peer'] as PortId[]) {
      const guest = await startGuest();
      // Frames of its own stack could pass for frames of the test.
      await guest.run('sysctl', '-qw', 'net.ipv6.conf.eth0.disable_ipv6=1');
      await guest.plug(at, bridge);
      const ofport = await at.vsctl('get', 'Interface', guest.outer, 'ofport');
      ofports.set(id, Number(ofport));
      if (id === 'self') [self, sender] = [guest, new Probe(guest.name)];
      else [peer, receiver] = [guest, new Probe(guest.name)];
    }
    await installed.install(matrixWorld('tracked'), ofports);
    await need(receiver).sniff();
  });
  afterAll(async () => {
    await sender?.stop();
    await receiver?.stop();
    await self?.stop();
    await peer?.stop();
    await installed?.close();
    await at?.stop();
  });

  async function received(): Promise<Set<string>> {
    const keys = new Set((await need(receiver).sniffed()).map(({ frame }) => keyOf({ bytes: frame })));
    for (const key of keys) if (lies.has(key)) escaped.add(need(lies.get(key)));
    return keys;
  }

  const send = (letters: readonly Letter[]) => need(sender).send(...letters.map(({ bytes }) => bytes));

  /** Sends until all of them have megaflows. */
  async function warm(letters: readonly Letter[], what: string): Promise<Megaflow[]> {
    let cached: Megaflow[] = [];
    let uncovered = letters;
    await until(
      async () => {
        await send(uncovered);
        cached = (await megaflowsOf(at)).filter(({ from }) => from === need(self).outer);
        uncovered = letters.filter(({ fields }) => !cached.some((flow) => covers(flow, fields)));
        return uncovered.length === 0;
      },
      { ...deciding, what: `decisions on ${what} are cached` },
    ).catch((error: Error) => {
      const texts = cached.map(({ text }) => text).join('\n');
      throw new Error(`${error.message}: not on ${uncovered[0]?.name}; cached are\n${texts}`);
    });
    return cached;
  }

  /** Sends once; every frame must arrive. */
  async function arrive(letters: readonly Letter[], what: string): Promise<string[]> {
    await received();
    await send(letters);
    const missing = new Map(letters.map((letter) => [keyOf(letter), letter.name]));
    await until(
      async () => {
        for (const key of await received()) missing.delete(key);
        return missing.size === 0;
      },
      { timeout: 5000, interval: 20, what },
    ).catch(() => undefined);
    return [...missing.values()].map((name) => `${what}: lost ${name}`);
  }

  /** Megaflows that cover frames with another verdict; order and speed of arrivals do not matter here. */
  function tooWide(cached: readonly Megaflow[], { truths, lies: untrue }: Neighbourhood): string[] {
    const wrongedBy = { drop: truths, ask: [], pass: untrue } as const;
    return cached.flatMap((flow) => {
      const wronged = wrongedBy[flow.outcome].filter(({ fields }) => covers(flow, fields));
      return wronged.map(({ name }) => `${flow.text} holds for ${name}`);
    });
  }

  async function wrongs(place: Neighbourhood): Promise<string[]> {
    const { truths, lies: untrue } = place;
    for (const lie of untrue) lies.set(keyOf(lie), lie.name);
    const found: string[] = [];
    await at.appctl('revalidator/purge');
    found.push(...(await arrive(truths, 'truth first')));
    found.push(...tooWide(await warm(untrue, 'lies after truths'), place));
    found.push(...(await arrive(truths, 'truth after lie')));
    await at.appctl('revalidator/purge');
    await warm(untrue, 'lies first');
    found.push(...(await arrive(truths, 'truth after lie')));
    found.push(...tooWide(await warm(untrue, 'lies after truths and lies'), place));
    return found;
  }

  describe.each([
    ['ARP and RARP', arpMatrix],
    ['neighbour and listener discovery', ndMatrix],
    ['IP, DHCP and redirects', ipMatrix],
  ] as const)('%s', (_, matrix) => {
    test.each(neighbourhoods(matrix()).map((place) => [place.name, place] as const))(
      '%s',
      async (_name, place) => {
        expect(place.lies.length).toBeGreaterThan(0);
        expect(await wrongs(place)).toEqual([]);
      },
    );
  });

  test('no forged frame has arrived, not even late', async () => {
    await received();
    expect([...escaped]).toEqual([]);
  });
});
