/** An administrator's work in Keystone for tests: domains, projects, users, roles, and tokens of any scope. */
import { adminPassword, type KeystoneServer } from './keystone-server.ts';

export type Json = Record<string, unknown>;

export type Scope =
  | { readonly project: { readonly id: string } }
  | { readonly domain: { readonly id: string } }
  | { readonly system: { readonly all: true } }
  | 'unscoped';

export interface Person {
  readonly id: string;
  readonly password: string;
}

const defaultDomain = 'default';

export class KeystonePeople {
  readonly #server: KeystoneServer;
  #admin = '';

  private constructor(server: KeystoneServer) {
    this.#server = server;
  }

  static async of(server: KeystoneServer): Promise<KeystonePeople> {
    const people = new KeystonePeople(server);
    await people.enter();
    return people;
  }

  /** The administrator's own token again, after a restart with other keys or a short life. */
  async enter(): Promise<void> {
    const user = { name: 'admin', domain: { id: defaultDomain }, password: adminPassword };
    const scope = { project: { name: 'admin', domain: { id: defaultDomain } } };
    this.#admin = await this.#login(user, scope);
  }

  get administrator(): string {
    return this.#admin;
  }

  project(name: string, domain = defaultDomain): Promise<string> {
    return this.#make('projects', 'project', { name, domain_id: domain });
  }

  domain(name: string): Promise<string> {
    return this.#make('domains', 'domain', { name });
  }

  /** A user with these roles in the project; roles are made where they are missing. */
  async user(name: string, project: string, roles: readonly string[]): Promise<Person> {
    const password = `password of ${name}`;
    const id = await this.#make('users', 'user', { name, password, domain_id: defaultDomain });
    for (const role of roles) await this.grant(`projects/${project}`, id, role);
    return { id, password };
  }

  /** `place` is `projects/ID`, `domains/ID` or `system`. */
  async grant(place: string, user: string, role: string): Promise<void> {
    await this.call('PUT', `${place}/users/${user}/roles/${await this.#role(role)}`);
  }

  async withdraw(place: string, user: string, role: string): Promise<void> {
    await this.call('DELETE', `${place}/users/${user}/roles/${await this.#role(role)}`);
  }

  /** A token. */
  login({ id, password }: Person, scope: Scope): Promise<string> {
    return this.#login({ id, password }, scope);
  }

  async revoke(token: string): Promise<void> {
    await this.call('DELETE', 'auth/tokens', undefined, { 'x-subject-token': token });
  }

  /** Throws what Keystone says when it does not say 2xx. */
  async call(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Json> {
    const { answer } = await this.#request(method, path, body, { 'x-auth-token': this.#admin, ...headers });
    return answer;
  }

  async #role(name: string): Promise<string> {
    const { roles } = await this.call('GET', `roles?name=${encodeURIComponent(name)}`);
    const [known] = roles as { readonly id: string }[];
    return known?.id ?? this.#make('roles', 'role', { name });
  }

  async #make(collection: string, name: string, attributes: Json): Promise<string> {
    const answer = await this.call('POST', collection, { [name]: attributes });
    return String((answer[name] as Json)['id']);
  }

  async #login(user: Json, scope: unknown): Promise<string> {
    const identity = { methods: ['password'], password: { user } };
    const { token } = await this.#request('POST', 'auth/tokens', { auth: { identity, scope } });
    return token;
  }

  async #request(
    method: string,
    path: string,
    body: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<{ readonly answer: Json; readonly token: string }> {
    const response = await fetch(`${this.#server.url}/${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`Keystone: ${method} ${path}: ${response.status} ${text}`);
    return {
      answer: text === '' ? {} : (JSON.parse(text) as Json),
      token: response.headers.get('x-subject-token') ?? '',
    };
  }
}
