import { afterEach, describe, expect, it, vi } from 'vitest';
import { flowMod } from './flow-mod.ts';
import type { Message } from './message.ts';
import { Session, type SessionOptions } from './session.ts';
import { type Script, ScriptedPeer } from './testing/scripted-peer.ts';

const open: { close: () => Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close();
});

async function peerWith(script?: Script): Promise<ScriptedPeer> {
  const peer = new ScriptedPeer(script);
  open.push({ close: () => peer.stop() });
  await peer.listen();
  return peer;
}

function sessionTo(target: string, options: Partial<SessionOptions> = {}): Session {
  const session = Session.connect({ target, ...options });
  open.push(session);
  return session;
}

const flows = [1, 2, 3].map((reg0) =>
  flowMod.add({ table: 0, priority: 1, cookie: 0n, match: { reg0 }, actions: [] }),
);
const types = (messages: readonly Message[]): string[] =>
  messages.map((message) => (message.type === 'bundle_control' ? message.control : message.type));

describe('session', () => {
  it('greets, prepares the switch and is up', async () => {
    const peer = await peerWith();
    const onUp = vi.fn();
    const session = sessionTo(peer.target, { onUp });
    expect(await session.ready()).toMatchObject({ datapathId: 1n });
    expect(session.state).toBe('up');
    expect(onUp).toHaveBeenCalledTimes(1);
    expect(types(peer.seen)).toEqual([
      'hello',
      'features_request',
      'set_packet_in_format',
      'set_async_config',
      'set_config',
      'barrier_request',
    ]);
    await session.close();
    expect(session.state).toBe('closed');
    await expect(session.barrier()).rejects.toMatchObject({ name: 'NotConnected' });
  });

  it('works over TCP as well', async () => {
    const peer = await peerWith();
    const session = sessionTo(await peer.listenTcp());
    await session.ready();
    await session.bundle(flows);
    expect(types(peer.seen)).toContain('commit_request');
  });

  it('rejects an invalid target', () => {
    for (const target of ['', 'unix:', 'ptcp:6653', 'tcp:host:0', 'tcp:host:70000', 'ssl:host:1']) {
      expect(() => Session.connect({ target })).toThrow(expect.objectContaining({ name: 'BadTarget' }));
    }
  });

  it('does not come up with a switch of another version, and names the version', async () => {
    const peer = await peerWith(({ message, socket }) => {
      if (message.type === 'hello') socket.write(Buffer.from([1, 0, 0, 8, 0, 0, 0, 1]));
      return message.type === 'hello';
    });
    const log = vi.fn();
    const session = sessionTo(peer.target, { log });
    await vi.waitFor(() => expect(log).toHaveBeenCalledWith(expect.stringContaining('no common version')));
    expect(session.state).toBe('connecting');
    await vi.waitFor(() => expect(types(peer.seen)).toContain('error'));
  });

  it.each([
    ['a frame of three bytes', Buffer.from([6, 10, 0, 3])],
    ['another version', Buffer.from([4, 20, 0, 8, 0, 0, 0, 0])],
  ])('reconnects after %s', async (_, garbage) => {
    let spoil = true;
    const peer = await peerWith(({ message, socket }) => {
      if (message.type !== 'role_request') return false;
      if (spoil) socket.write(Buffer.concat([garbage, Buffer.alloc(8)]));
      spoil = false;
      return true;
    });
    const onDown = vi.fn();
    const session = sessionTo(peer.target, { onDown });
    await session.ready();
    const asked = session.request({ type: 'role_request', role: 'nochange', generation: 0n });
    await expect(asked).rejects.toMatchObject({ name: 'Disconnected' });
    await session.ready();
    expect(onDown).toHaveBeenCalledTimes(1);
    await session.barrier();
  });

  it('skips and counts unknown and unexpected messages, and goes on', async () => {
    const peer = await peerWith(({ message, reply, socket }) => {
      if (message.type !== 'role_request') return false;
      reply({ type: 'unknown', messageType: 99, data: new Uint8Array(3) }, 4_000_000);
      reply({ type: 'barrier_reply' }, 4_000_001);
      reply({ type: 'error', errorType: 1, code: 1, data: new Uint8Array() }, 4_000_002);
      socket.write(Buffer.from([6, 12, 0, 9, 0, 0, 0, 0, 9]));
      reply({ type: 'role_reply', role: 'equal', generation: 0n });
      return true;
    });
    const session = sessionTo(peer.target);
    await session.ready();
    const answer = await session.request({ type: 'role_request', role: 'nochange', generation: 0n });
    expect(answer).toMatchObject({ role: 'equal' });
    expect(session.counts).toMatchObject({ unknown: 1, stray: 2, malformed: 1 });
  });

  it('rejects a request whose answer is unreadable or a refusal', async () => {
    const peer = await peerWith(({ message, reply, socket, xid }) => {
      if (message.type === 'role_request')
        reply({ type: 'error', errorType: 11, code: 1, data: new Uint8Array() });
      else if (message.type === 'get_config_request')
        socket.write(Buffer.from([6, 8, 0, 9, 0, 0, xid >> 8, xid & 255, 0]));
      else return false;
      return true;
    });
    const session = sessionTo(peer.target);
    await session.ready();
    await expect(
      session.request({ type: 'role_request', role: 'nochange', generation: 0n }),
    ).rejects.toMatchObject({
      data: { code: 'Refused', errorType: 11, errorCode: 1 },
    });
    await expect(session.request({ type: 'get_config_request' })).rejects.toMatchObject({
      name: 'UnexpectedReply',
    });
    await session.barrier();
  });

  it('joins the parts of a multipart answer', async () => {
    const sum = { packets: 1n, bytes: 2n, flows: 3 };
    const peer = await peerWith(({ message, reply }) => {
      if (message.type !== 'multipart_request') return false;
      const body = { kind: 'aggregate', entries: [sum] } as const;
      reply({ type: 'multipart_reply', body, more: true });
      reply({ type: 'multipart_reply', body, more: true });
      reply({ type: 'multipart_reply', body: { kind: 'aggregate', entries: [] } });
      return true;
    });
    const session = sessionTo(peer.target);
    await session.ready();
    const parts = await session.multipart({ kind: 'aggregate', filter: {} }, 'aggregate');
    expect(parts).toEqual([sum, sum]);
  });

  it('ends a silent connection and starts another', async () => {
    let deaf = true;
    const peer = await peerWith(({ message }) => deaf && message.type === 'echo_request');
    const onDown = vi.fn();
    const session = sessionTo(peer.target, { probeInterval: 20, onDown });
    await session.ready();
    await vi.waitFor(() => expect(onDown).toHaveBeenCalledWith(expect.stringContaining('silent')));
    deaf = false;
    await session.ready();
    await vi.waitFor(() =>
      expect(types(peer.seen).filter((type) => type === 'echo_request').length).toBeGreaterThan(4),
    );
    expect(session.state).toBe('up');
  });

  it('answers an echo request with its data', async () => {
    const peer = await peerWith();
    const session = sessionTo(peer.target);
    await session.ready();
    const [socket] = peer.sockets;
    socket?.write(Buffer.from([6, 2, 0, 10, 0, 0, 0, 77, 5, 6]));
    await vi.waitFor(() =>
      expect(peer.seen).toContainEqual({ type: 'echo_reply', data: Uint8Array.from([5, 6]) }),
    );
  });

  it('receives packets and survives a listener that throws', async () => {
    const peer = await peerWith();
    const onPacketIn = vi.fn(() => {
      throw new Error('listener');
    });
    const session = sessionTo(peer.target, { onPacketIn });
    await session.ready();
    const [socket] = peer.sockets;
    // NXT_PACKET_IN2 with nothing but a table.
    socket?.write(Buffer.from('0604001800000000000023200000001e0003000507000000', 'hex'));
    await vi.waitFor(() => expect(onPacketIn).toHaveBeenCalledWith(expect.objectContaining({ table: 7 })));
    await session.barrier();
  });

  it('connects to a socket that appears long before the next attempt', async () => {
    const peer = new ScriptedPeer();
    open.push({ close: () => peer.stop() });
    const log = vi.fn();
    const session = sessionTo(peer.target, { backoff: { minDelay: 60_000, maxDelay: 60_000 }, log });
    await vi.waitFor(() => expect(log).toHaveBeenCalledWith(expect.stringContaining('not connected')));
    await peer.listen();
    await session.ready();
    await peer.hangUp();
    await vi.waitFor(() => expect(session.state).toBe('connecting'));
    await peer.listen();
    await session.ready();
  });

  it('gives up at once when aborted, in every state', async () => {
    const abort = new AbortController();
    const session = sessionTo('unix:/nonexistent/switch', {
      signal: abort.signal,
      backoff: { minDelay: 60_000, maxDelay: 60_000 },
    });
    const ready = session.ready();
    abort.abort();
    await expect(ready).rejects.toMatchObject({ name: 'NotConnected' });
    expect(session.state).toBe('closed');
  });

  it('sends as fast as the peer reads, and in order', async () => {
    const peer = await peerWith();
    const session = sessionTo(peer.target);
    await session.ready();
    const [socket] = peer.sockets;
    socket?.pause();
    const data = new Uint8Array(60_000);
    for (let i = 0; i < 100; i++) session.packetOut({ actions: [], data, match: { reg0: i } });
    expect(session.backlog).toBeGreaterThan(1_000_000);
    socket?.resume();
    await session.barrier();
    const sent = peer.seen.filter((message) => message.type === 'packet_out');
    expect(sent.map((message) => message.match?.reg0)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(session.backlog).toBe(0);
  });
});

describe('a bundle', () => {
  it('opens, adds, waits until every member is accepted, and only then commits', async () => {
    const peer = await peerWith();
    const session = sessionTo(peer.target);
    await session.ready();
    peer.seen.length = 0;
    await session.bundle(flows);
    expect(types(peer.seen)).toEqual([
      'open_request',
      'bundle_add',
      'bundle_add',
      'bundle_add',
      'barrier_request',
      'commit_request',
    ]);
    await session.bundle([]);
    expect(peer.seen.length).toBe(6);
  });

  it('is discarded, with the index of the member that was refused', async () => {
    const peer = await peerWith(({ message, reply }) => {
      if (message.type !== 'bundle_add' || message.member.type !== 'flow_mod') return false;
      if (message.member.match.reg0 === 2)
        reply({ type: 'error', errorType: 4, code: 9, data: new Uint8Array() });
      return true;
    });
    const session = sessionTo(peer.target);
    await session.ready();
    await expect(session.bundle(flows)).rejects.toMatchObject({
      data: { code: 'Refused', errorType: 4, errorCode: 9, member: 1 },
    });
    expect(types(peer.seen)).toContain('discard_request');
    expect(types(peer.seen)).not.toContain('commit_request');
  });

  it('is not begun when a member cannot be encoded', async () => {
    const peer = await peerWith();
    const session = sessionTo(peer.target);
    await session.ready();
    const bad = flowMod.add({ table: 0, priority: 1, cookie: 0n, match: { ip_proto: 999 }, actions: [] });
    await expect(session.bundle([...flows, bad])).rejects.toMatchObject({
      data: { code: 'Unencodable', member: 3 },
    });
    await session.barrier();
    expect(types(peer.seen)).not.toContain('open_request');
  });

  it('has an unknown outcome when the answer to its commit is lost', async () => {
    const peer = await peerWith(({ message, socket }) => {
      if (message.type !== 'bundle_control' || message.control !== 'commit_request') return false;
      socket.destroy();
      return true;
    });
    const session = sessionTo(peer.target);
    await session.ready();
    await expect(session.bundle(flows)).rejects.toMatchObject({ name: 'OutcomeUnknown' });
  });

  it('has an unknown outcome when the switch has dropped it before its commit', async () => {
    const peer = await peerWith(({ message, reply }) => {
      if (message.type !== 'bundle_control' || message.control !== 'commit_request') return false;
      reply({ type: 'error', errorType: 17, code: 2, data: new Uint8Array() });
      return true;
    });
    const session = sessionTo(peer.target);
    await session.ready();
    await expect(session.bundle(flows)).rejects.toMatchObject({ name: 'OutcomeUnknown' });
  });

  it('has changed nothing when the connection is lost before its commit', async () => {
    const peer = await peerWith(({ message, socket }) => {
      if (message.type === 'bundle_add') socket.destroy();
      return message.type === 'bundle_add';
    });
    const session = sessionTo(peer.target);
    await session.ready();
    await expect(session.bundle(flows)).rejects.toMatchObject({ name: 'Disconnected' });
    expect(types(peer.seen)).not.toContain('commit_request');
  });
});
