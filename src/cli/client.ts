/**
 * The command line's HTTP client of the API: JSON, with the server's own message in every failure. Holds no
 * command's logic and prints nothing.
 */
import { Fault, reasonOf } from '../base/errors.ts';

export type ClientFault =
  | { readonly code: 'Unreachable'; readonly endpoint: string }
  /** The API answered with an error. `body` is its JSON, or null if it sent none. */
  | { readonly code: 'Refused'; readonly status: number; readonly body: unknown }
  | { readonly code: 'NoSuchPort'; readonly reference: string }
  | { readonly code: 'AmbiguousPort'; readonly reference: string; readonly ids: readonly string[] }
  | { readonly code: 'NoSuchSecurityGroup'; readonly reference: string }
  | { readonly code: 'AmbiguousSecurityGroup'; readonly reference: string; readonly ids: readonly string[] };

/** The members of Neutron's port that the command line reads. */
export interface PortView {
  readonly id: string;
  readonly name: string;
  readonly network_id: string;
  readonly mac_address: string;
  readonly admin_state_up: boolean;
  readonly status: string;
  readonly fixed_ips: readonly { readonly subnet_id: string; readonly ip_address: string }[];
}

export interface SubnetView {
  readonly id: string;
  readonly cidr: string;
  readonly gateway_ip: string | null;
}

export interface NetworkView {
  readonly id: string;
  readonly mtu: number;
}

export class Client {
  readonly #endpoint: string;
  readonly #headers: Readonly<Record<string, string>>;

  /** Without a token, only an API without authentication accepts it. */
  constructor(endpoint: string, token?: string) {
    this.#headers = { accept: 'application/json', ...(token === undefined ? {} : { 'x-auth-token': token }) };
    this.#endpoint = endpoint.replace(/\/+$/, '');
  }

  /** `path` starts with `/`. Throws `Unreachable` or `Refused`. */
  get<T>(path: string): Promise<T> {
    return this.#request(path, { headers: this.#headers });
  }

  /** As `get`, with a body. */
  post<T>(path: string, body: unknown): Promise<T> {
    const headers = { ...this.#headers, 'content-type': 'application/json' };
    return this.#request(path, { method: 'POST', headers, body: JSON.stringify(body) });
  }

  async #request<T>(path: string, request: RequestInit): Promise<T> {
    let response: Response;
    let text: string;
    try {
      response = await fetch(`${this.#endpoint}${path}`, request);
      text = await response.text();
    } catch (error) {
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
      throw new Fault<ClientFault>(
        { code: 'Unreachable', endpoint: this.#endpoint },
        `no answer from ${this.#endpoint}: ${reasonOf(cause)}`,
        error,
      );
    }
    const body = parsed(text);
    if (response.ok && body !== null) return body as T;
    throw new Fault<ClientFault>(
      { code: 'Refused', status: response.status, body },
      messageOf(body) ?? `${this.#endpoint}${path} answered ${response.status} ${response.statusText}`,
    );
  }

  /** By id or by name. Throws `NoSuchPort` or `AmbiguousPort`. */
  async port(reference: string): Promise<PortView> {
    const ports = await this.#named<PortView>('ports', reference);
    const [port] = ports;
    if (port === undefined) throw fault({ code: 'NoSuchPort', reference }, 'port');
    if (ports.length > 1) throw fault({ code: 'AmbiguousPort', reference, ids: idsOf(ports) }, 'port');
    return port;
  }

  /** The names of ports by their ids, of those that have one. */
  async portNames(ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const query = ids.map((id) => `id=${encodeURIComponent(id)}`).join('&');
    if (query === '') return new Map();
    const { ports } = await this.get<{ readonly ports: readonly PortView[] }>(`/v2.0/ports?${query}`);
    return new Map(ports.flatMap(({ id, name }) => (name === '' ? [] : [[id, name] as const])));
  }

  /** Its id, by id or by name. Throws `NoSuchSecurityGroup` or `AmbiguousSecurityGroup`. */
  async securityGroup(reference: string): Promise<string> {
    const groups = await this.#named<{ readonly id: string }>('security-groups', reference);
    const [group] = groups;
    const what = 'security group';
    if (group === undefined) throw fault({ code: 'NoSuchSecurityGroup', reference }, what);
    if (groups.length > 1)
      throw fault({ code: 'AmbiguousSecurityGroup', reference, ids: idsOf(groups) }, what);
    return group.id;
  }

  /** The resources with that id, or else those with that name. */
  async #named<T>(path: string, reference: string): Promise<readonly T[]> {
    const query = async (field: string): Promise<readonly T[]> => {
      const found = await this.get<Record<string, T[]>>(
        `/v2.0/${path}?${field}=${encodeURIComponent(reference)}`,
      );
      return found[path.replaceAll('-', '_')] ?? [];
    };
    const byId = await query('id');
    return byId.length > 0 ? byId : query('name');
  }
}

const idsOf = (found: readonly { readonly id: string }[]): string[] => found.map(({ id }) => id);

function fault(data: Extract<ClientFault, { readonly reference: string }>, what: string): Fault<ClientFault> {
  const text =
    'ids' in data
      ? `${data.ids.length} ${what}s have the name ${data.reference}: ${data.ids.join(', ')}`
      : `no ${what} has the name or id ${data.reference}`;
  return new Fault<ClientFault>(data, text);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

function messageOf(body: unknown): string | null {
  const answer = body as { NeutronError?: { message?: unknown }; error?: { message?: unknown } } | null;
  // A request without a valid token is refused in Keystone's form.
  const message = (answer?.NeutronError ?? answer?.error)?.message;
  return typeof message === 'string' ? message : null;
}

/** True for a fault of this client with the given code. */
export function isClientFault<C extends ClientFault['code']>(
  error: unknown,
  code: C,
): error is Fault<Extract<ClientFault, { code: C }>> {
  return error instanceof Fault && (error.data as { code: string }).code === code;
}
