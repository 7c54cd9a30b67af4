/** The cast: a real relay on 127.0.0.1 in a folder that goes away, and devices with real links and plain chunks. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import {
  RELAY_PROTOCOL,
  createIdentity,
  createReplica,
  decodeInvite,
  decodeRelayAnswer,
  encodeMemberList,
  encodeRelayRequest,
  idBytes,
} from '@segue/core'
import type { DeviceId, DeviceIdentity, MailboxId, RelayAnswer, RelayInvite, RelayQuotas, RelayRequest, Replica } from '@segue/core'
import type { ChunkStore, DeviceLinkHandler, Inspector, Random, SealedChunk } from '@segue/core/ports'
import { createChunkCast, createMemoryChunkStore, type ChunkCast } from '@segue/core/testing'
import { createNode, systemClock, type NetNode } from '@segue/net'
import { onTestFinished } from 'vitest'
import { createLog, createRelay, type Relay, type RelayOptions } from '../index.ts'

export const chunks: ChunkCast = createChunkCast()
export const QUOTAS: RelayQuotas = { mailboxes: 4, bytes: 1e9, chunks: 1e6, bytesPerMinute: 1e10 }
export const random: Random = { bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)) }

export async function scratch(): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'segue-relay-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

/** Closed when the test ends, if not before. */
export async function startRelay(options: Partial<RelayOptions> = {}): Promise<Relay> {
  const relay = await createRelay({
    directory: options.directory ?? path.join(await scratch(), 'data'),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    quotas: QUOTAS,
    idleMailboxDays: 0,
    maxConnections: 1_024,
    logger: createLog({ level: 'silent', withIds: false }),
    ...options,
  })
  onTestFinished(() => relay.close())
  return relay
}

export interface RelayPlace {
  readonly id: DeviceId
  readonly addresses: readonly string[]
}

export interface TestDevice {
  readonly identity: DeviceIdentity
  readonly id: DeviceId
  readonly node: NetNode
  readonly replica: Replica
  readonly store: ChunkStore
  /** From others, durable here. */
  readonly arrived: readonly SealedChunk[]
  /** Asks on one stream, in turn. */
  ask(relay: RelayPlace, ...requests: readonly RelayRequest[]): Promise<readonly RelayAnswer[]>
  /** Keeps a link to the relay from now on, and to these devices, through the relay. */
  connect(relay: RelayPlace, ...others: readonly { readonly id: DeviceId }[]): void
  /** Resolves when the relay said that it holds all of these documents. */
  onRelay(relay: RelayPlace, ...documents: readonly string[]): Promise<void>
  has(...wanted: readonly SealedChunk[]): Promise<void>
  close(): Promise<void>
}

export interface DeviceParts {
  readonly identity?: DeviceIdentity
  readonly store?: ChunkStore
  readonly inspector?: Inspector
}

export async function startDevice(name: string, parts: DeviceParts = {}): Promise<TestDevice> {
  const { identity = createIdentity({ name, random }), store = createMemoryChunkStore() } = parts
  const inspector = parts.inspector ?? chunks.inspector(() => store)
  const replica = await createReplica({ store, inspector, clock: systemClock, random })
  const arrived: SealedChunk[] = []
  replica.subscribe({ onArrived: batch => void arrived.push(...batch) })
  const admitted = new Set<DeviceId>()
  const node = await createNode({
    signing: identity.signing,
    listen: [],
    host: {
      mayConnect: peer => admitted.has(peer),
      onLink(link): DeviceLinkHandler {
        const session = replica.attach(link)
        return {
          onFrame: (channel, frame) => (channel.startsWith('sync') ? session.onFrame(channel, frame) : undefined),
          onClosed: code => session.onClosed(code),
        }
      },
    },
  })
  const close = async (): Promise<void> => {
    await node.close()
    await replica.close()
  }
  onTestFinished(close)
  return {
    identity,
    id: identity.id,
    node,
    replica,
    store,
    arrived,
    async ask(relay, ...requests) {
      const link = await node.dial(RELAY_PROTOCOL, { device: relay.id, addresses: relay.addresses })
      const answers: RelayAnswer[] = []
      try {
        for (const request of requests) {
          await link.send(encodeRelayRequest(request))
          const answer = decodeRelayAnswer(await link.receive())
          if (!answer.ok) throw new Error(answer.error.detail)
          answers.push(answer.value)
        }
        return answers
      } finally {
        await link.close()
      }
    },
    connect(relay, ...others) {
      for (const { id } of [relay, ...others]) admitted.add(id)
      const known = others.map(({ id }): [DeviceId, readonly string[]] => [id, []])
      node.setMembers(new Map([...known, [relay.id, relay.addresses]]), { relays: new Set([relay.id]) })
    },
    async onRelay(relay, ...documents) {
      await replica.confirmations.when(() => documents.every(document => replica.confirmedAt(relay.id, chunks.docTag(document))))
    },
    async has(...wanted) {
      const isThere = async (): Promise<boolean> => (await store.getMany(wanted.map(chunk => chunk.id))).length === wanted.length
      while (!(await isThere())) await new Promise<void>(resolve => subscribeOnce(replica, resolve))
    },
    close,
  }
}

export function inviteIn(text: string): RelayInvite {
  const invite = decodeInvite(text)
  if (!invite.ok) throw new Error(invite.error)
  return invite.value
}

export function mailboxId(n: number): MailboxId {
  return n.toString(16).padStart(32, '0') as MailboxId
}

/** The first device claims an invite and makes a mailbox for all of them. */
export async function shareMailbox(
  relay: Relay,
  mailbox: MailboxId,
  devices: readonly TestDevice[],
  quotas: Partial<RelayQuotas> = {},
): Promise<void> {
  const { invite } = await relay.operations.invite({ quotas })
  await shareMailboxAt(relay, invite, mailbox, devices)
}

export async function shareMailboxAt(relay: RelayPlace, invite: string, mailbox: MailboxId, devices: readonly TestDevice[]): Promise<void> {
  const [first] = devices
  if (first === undefined) throw new Error('somebody has to make it')
  const answers = await first.ask(
    relay,
    { v: 1, type: 'claim', token: inviteIn(invite).token },
    { v: 1, type: 'create', mailbox: idBytes(mailbox), adminKey: first.identity.signing.publicKey },
    listOf(mailbox, 1, devices, first),
  )
  const types = answers.map(answer => (answer.type === 'refused' ? answer.why : answer.type))
  if (types.join() !== 'claimed,created,listed') throw new Error(types.join())
}

export function listOf(
  mailbox: MailboxId,
  version: number,
  members: readonly { readonly id: DeviceId }[],
  admin: TestDevice,
): RelayRequest {
  const list = encodeMemberList({ mailbox, version, members: members.map(({ id }) => id) }, admin.identity.signing)
  return { v: 1, type: 'list', ...list }
}

function subscribeOnce(replica: Replica, listener: () => void): void {
  const unsubscribe = replica.subscribe({
    onArrived() {
      unsubscribe()
      listener()
    },
  })
}

/** One figure of `/metrics`, without the prefix; NaN when it is not there. */
export async function metric(relay: Relay, name: string): Promise<number> {
  const text = await (await fetch(`http://${relay.opsAddress}/metrics`)).text()
  const line = text.split('\n').find(each => each.startsWith(`segue_relay_${name} `))
  return line === undefined ? Number.NaN : Number(line.split(' ').at(-1))
}

/** Asks again and again; the test's own limit ends it. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise(resolve => setImmediate(resolve))
}
