/**
 * The tree of commands: names, flags and help texts, without their code. `run` turns every outcome into an
 * exit code: 0 done, 1 failed, 2 wrong call.
 */
import { setFlagsFromString } from 'node:v8';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { stringify } from 'yaml';
import { Fault, reasonOf } from '../base/errors.ts';
import { maxWait, parseWait } from '../base/waiting-time.ts';
import { check, checkText } from './check.ts';
import { Client } from './client.ts';
import { loadConfig, withoutSecrets } from './config.ts';
import { counters } from './counters.ts';
import { parseDuration } from './durations.ts';
import { agentRoleCommands } from './etcd-role.ts';
import { explain } from './explain.ts';
import type { GuestTools } from './guest.ts';
import { addGuest, deleteGuest, listGuests } from './guest.ts';
import { GuestPlugs } from './guest-plug.ts';
import { hosts } from './hosts.ts';
import { packetHelp } from './packet-words.ts';
import { type RulesOptions, rules } from './rules.ts';
import type { Part, Settings } from './settings.ts';
import { settings } from './settings.ts';
import { sync, syncText } from './sync.ts';
import { json, table } from './table.ts';
import { version } from './version.ts';
import { vips } from './vips.ts';

function print(text: string): void {
  process.stdout.write(text);
}

function seconds(text: string): number {
  const value = Number(text);
  if (text === '' || !Number.isFinite(value) || value < 0 || value > 86_400) {
    throw new InvalidArgumentError('seconds from 0 to 86400 are required.');
  }
  return value;
}

/** The time that the API lets a caller wait. */
function waitSeconds(text: string): number {
  const value = parseWait(text);
  if (value === null) throw new InvalidArgumentError(`seconds above 0 and up to ${maxWait} are required.`);
  return value;
}

function duration(text: string): number {
  const value = parseDuration(text);
  if (value === null) throw new InvalidArgumentError('a duration such as 90s, 15m, 12h or 7d is required.');
  return value;
}

function withSettings(command: Command, only?: readonly string[]): Command {
  command.option(
    '--config <file>',
    'configuration file (default: /etc/portcullis/portcullis.yaml if it exists)',
  );
  for (const { key, flag, kind, description, default: value } of settings) {
    if (only !== undefined && !only.includes(key)) continue;
    const known = value !== undefined && value !== '' && kind !== 'boolean';
    const text = known ? `${description} (default: ${value})` : description;
    command.option(kind === 'boolean' ? flag : `${flag} <value>`, text);
  }
  return command;
}

function settingsOf(command: Command, part?: Part): Settings {
  const flags = command.opts<Record<string, unknown>>();
  const file = flags['config'];
  return loadConfig({
    file: typeof file === 'string' ? file : undefined,
    environment: process.env,
    flags,
    part,
  });
}

function withEndpoint(command: Command): Command {
  return command
    .option('--endpoint <url>', 'address of the API (or PORTCULLIS_ENDPOINT)')
    .option('--json', 'print JSON');
}

function clientOf(command: Command): Client {
  const { endpoint } = command.opts<{ endpoint?: string }>();
  const { PORTCULLIS_ENDPOINT: known, PORTCULLIS_TOKEN: token, OS_TOKEN: osToken } = process.env;
  return new Client(endpoint ?? known ?? 'http://127.0.0.1:9696', token ?? osToken);
}

function guestToolsOf(command: Command): GuestTools {
  const { ovsdb, bridge } = settingsOf(command);
  return { client: clientOf(command), plugs: new GuestPlugs(ovsdb, bridge) };
}

function wantsJson(command: Command): boolean {
  return command.opts<{ json?: boolean }>().json === true;
}

function addGuestCommands(program: Command): void {
  const guest = program.command('guest').description('network namespaces plugged into the bridge as guests');
  const own = (name: string) => withSettings(withEndpoint(guest.command(name)), ['ovsdb', 'bridge']);

  own('add <port>')
    .description('make a guest for a port (name or id): MAC, addresses and routes as the API has them')
    .option('--name <namespace>', "the guest's network namespace (default: the port's name)")
    .option('--no-addresses', 'leave addresses and routes to the guest')
    .option('--timeout <seconds>', 'how long to wait for the port to be ACTIVE', seconds, 30)
    .action(
      async (
        reference: string,
        options: { name?: string; addresses: boolean; timeout: number },
        command: Command,
      ) => {
        const plug = await addGuest(guestToolsOf(command), reference, options);
        print(
          wantsJson(command)
            ? json(plug)
            : `guest ${plug.namespace}: eth0 is plugged in as ${plug.device}; try: ip netns exec ${plug.namespace} ip address\n`,
        );
      },
    );

  own('del <port>')
    .description('remove the guest of a port (name or id) or of a namespace; none is fine')
    .action(async (reference: string, _options: unknown, command: Command) => {
      const gone = await deleteGuest(guestToolsOf(command), reference);
      if (wantsJson(command)) print(json(gone));
      else print(gone === null ? `no guest for ${reference}\n` : `guest ${gone.namespace} removed\n`);
      if (gone !== null && gone.processes.length > 0) {
        process.stderr.write(
          `still running in it, without a network: process ${gone.processes.join(', ')}\n`,
        );
      }
    });

  own('list')
    .description('guests on this machine')
    .action(async (_options: unknown, command: Command) => {
      const rows = await listGuests(guestToolsOf(command));
      const columns = [
        { title: 'NAMESPACE', value: (row: (typeof rows)[number]) => row.namespace },
        { title: 'PORT', value: (row: (typeof rows)[number]) => row.port || row.port_id },
        { title: 'MAC', value: (row: (typeof rows)[number]) => row.mac_address ?? '-' },
        { title: 'ADDRESSES', value: (row: (typeof rows)[number]) => row.addresses.join(',') || '-' },
        { title: 'STATUS', value: (row: (typeof rows)[number]) => row.status ?? '-' },
      ];
      print(wantsJson(command) ? json(rows) : table(columns, rows));
    });
}

function addStoreCommands(program: Command): void {
  const store = program.command('store').description('the store of a cloud');
  withSettings(
    store.command('copy <from> <to>'),
    settings.filter(({ key }) => key.startsWith('etcd.')).map(({ key }) => key),
  )
    .description(
      'move a cloud between stores: etcd://HOST:PORT[,HOST:PORT...], or the folder of an embedded one',
    )
    .action(async (from: string, to: string, _options: unknown, command: Command) => {
      const { copyBetween } = await import('./store-copy.ts');
      print(await copyBetween(settingsOf(command, 'server'), from, to));
    });
  store
    .command('role <host>')
    .description("print the etcdctl commands that make the role of a host's agent")
    .action((host: string) => print(agentRoleCommands(host)));
}

/**
 * The young generation of an agent stays as small as V8 makes it first. It grew to 33 MB in the burst of a start, and
 * kept them. An agent makes little that dies young; a server makes much for every request.
 */
const smallYoung = '--semi-space-growth-factor=1';

async function start(settings: Settings, part?: Part): Promise<void> {
  if (part === 'agent') setFlagsFromString(smallYoung);
  // Loaded here: the other commands should not wait for a server that they do not start.
  const { up } = await import('./up.ts');
  await up(settings, part);
}

function addPart(program: Command, part: Part, description: string): void {
  const own = settings.filter((setting) => setting.part === part || setting.part === undefined);
  withSettings(
    program.command(part),
    own.map(({ key }) => key),
  )
    .description(description)
    .action((_options: unknown, command: Command) => start(settingsOf(command, part), part));
}

interface CountersOptions {
  readonly host?: string;
  readonly all?: boolean;
}

export function buildProgram(): Command {
  // Set before any command is added: commands inherit it.
  const program = new Command('portcullis').exitOverride().showHelpAfterError('(try --help)');
  program.description('port security for Open vSwitch, behind the Neutron API').version(version());

  withSettings(program.command('up'))
    .description('server and agent in one process, on the embedded store')
    .action((_options: unknown, command: Command) => start(settingsOf(command)));
  addPart(program, 'server', 'the API alone; needs no Open vSwitch');
  addPart(program, 'agent', "a hypervisor's agent alone; needs no API");

  withEndpoint(program.command('sync'))
    .description('wait until every live switch has acknowledged everything in the store now')
    .option('--timeout <seconds>', 'how long to wait (default: 30)', waitSeconds)
    .action(async ({ timeout }: { timeout?: number }, command: Command) => {
      const result = await sync(clientOf(command), timeout);
      print(wantsJson(command) ? json(result) : syncText(result));
      if (!result.synced) process.exitCode = 1;
    });

  withEndpoint(program.command('counters [port]'))
    .description('drops at a port (name or id), by reason and protocol')
    .option('--host <name>', 'drops on a host without a known port')
    .option('--all', 'also reasons without drops')
    .action(async (port: string | undefined, { host, all }: CountersOptions, command: Command) => {
      if (port !== undefined && host !== undefined)
        throw new InvalidArgumentError('give a port or --host, not both.');
      const subject = port === undefined ? host !== undefined && { host } : { port };
      if (subject === false) throw new InvalidArgumentError('give a port or --host.');
      const options = { all: all === true, asJson: wantsJson(command) };
      print(await counters(clientOf(command), subject, options));
    });

  withEndpoint(program.command('explain <port> [frame...]'))
    .description(
      'each decision about a packet from a port (name or id), and the change that would let it pass',
    )
    .option('--hex <bytes>', 'the whole Ethernet frame, in place of words')
    .addHelpText('after', packetHelp)
    .action(
      async (reference: string, words: readonly string[], { hex }: { hex?: string }, command: Command) => {
        if (hex !== undefined && words.length > 0)
          throw new InvalidArgumentError('give words or --hex, not both.');
        print(await explain(clientOf(command), reference, { words, hex }, wantsJson(command)));
      },
    );

  withEndpoint(program.command('rules'))
    .description('hits of security-group rules, and rules that others shadow')
    .option('--unused', 'only rules without hits')
    .option('--since <duration>', 'rules without hits for so long, such as 90s, 15m, 12h, 7d', duration)
    .option('--security-group <group>', 'only rules of this group (name or id)')
    .action(async (options: RulesOptions, command: Command) => {
      print(await rules(clientOf(command), options, wantsJson(command)));
    });

  withEndpoint(program.command('hosts'))
    .description('hypervisors: whether they live, and what they have')
    .action(async (_options: unknown, command: Command) => {
      print(await hosts(clientOf(command), wantsJson(command)));
    });

  withEndpoint(program.command('vips'))
    .description('addresses that several ports may have, and who holds each')
    .option('--network <network>', 'only those of this network (id)')
    .action(async ({ network }: { readonly network?: string }, command: Command) => {
      print(await vips(clientOf(command), network, wantsJson(command)));
    });

  withEndpoint(program.command('check'))
    .description('list contradictions in the store; exit code 1 if there are any')
    .action(async (_options: unknown, command: Command) => {
      const result = await check(clientOf(command));
      print(wantsJson(command) ? json(result) : checkText(result));
      if (result.count > 0) process.exitCode = 1;
    });

  addGuestCommands(program);
  addStoreCommands(program);

  withSettings(program.command('config'))
    .description('print the effective configuration')
    .option('--json', 'print JSON')
    .option('--get <key>', 'print the value of one key, such as log.level')
    .action(({ get }: { get?: string }, command: Command) => {
      const effective = withoutSecrets(settingsOf(command));
      if (get === undefined) {
        print(wantsJson(command) ? json(effective) : stringify(effective));
        return;
      }
      const setting = settings.find(({ key }) => key === get);
      if (setting === undefined) throw new InvalidArgumentError(`no setting is called ${get}`);
      print(
        `${String(setting.path.reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], effective))}\n`,
      );
    });

  program
    .command('version')
    .description('print the version')
    .action(() => print(`portcullis ${version()}\n`));

  return program;
}

/** Codes of faults in the user's input. */
const wronglyCalled: ReadonlySet<string> = new Set(['BadConfig', 'BadPacket']);

/** Sets the process's exit code; never throws. `argv` is without the interpreter and the script. */
export async function run(argv: readonly string[]): Promise<void> {
  try {
    await buildProgram().parseAsync(argv, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) {
      // commander has printed its message, except for errors of an action; help on request is not a failure.
      if (error instanceof InvalidArgumentError) process.stderr.write(`portcullis: ${error.message}\n`);
      process.exitCode = error.exitCode === 0 ? 0 : 2;
      return;
    }
    process.stderr.write(`portcullis: ${reasonOf(error)}\n`);
    process.exitCode =
      error instanceof Fault && wronglyCalled.has((error.data as { code: string }).code) ? 2 : 1;
  }
}
