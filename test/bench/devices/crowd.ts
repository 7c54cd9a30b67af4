/** Many devices in one process, each with its own key, connection and replica, holding sealed chunks that nobody opens. For a relay to carry. */
import { setMaxListeners } from 'node:events'
import {
  MAX_RELAY_REQUESTS,
  RELAY_PROTOCOL,
  createIdentity,
  createReplica,
  decodeInvite,
  decodeRelayAnswer,
  encodeMemberList,
  encodeRelayRequest,
  idBytes,
  type DeviceId,
  type DeviceIdentity,
  type MailboxId,
  type RelayRequest,
  type Replica,
} from '@segue/core'
import { createChunkCast, createMemoryChunkStore } from '@segue/core/testing'
import { createNode, systemClock, type NetNode } from '@segue/net'
import { serve } from '../remote.ts'
import { monotonicMs } from './times.ts'

export interface CrowdStart {
  readonly devices: number
  readonly perMailbox: number
  /** Mailboxes are numbered from here, so that crowds do not share them. */
  readonly firstMailbox: number
  readonly invite: string
}

const random = { bytes: (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length)) }
const chunks = createChunkCast()
let relay: { readonly id: DeviceId; readonly addresses: readonly string[] } | undefined
let devices: readonly Member[] = []

interface Member {
  readonly identity: DeviceIdentity
  readonly mailbox: MailboxId
  running: { readonly node: NetNode; readonly replica: Replica } | undefined
}

const methods = {
  /** Identities and mailboxes; nobody is connected afterwards. */
  async found({ devices: count, perMailbox, firstMailbox, invite: text }: CrowdStart): Promise<void> {
    const invite = decodeInvite(text)
    if (!invite.ok) throw new Error(invite.error)
    const place = { id: invite.value.relay, addresses: invite.value.addresses }
    relay = place
    devices = Array.from({ length: count }, (_, i) => ({
      identity: createIdentity({ name: 'member', random }),
      mailbox: (firstMailbox + Math.floor(i / perMailbox)).toString(16).padStart(32, '0') as MailboxId,
      running: undefined,
    }))
    const [first] = devices
    if (first === undefined) return
    const requests: RelayRequest[] = [{ v: 1, type: 'claim', token: invite.value.token }]
    for (let at = 0; at < count; at += perMailbox) {
      const members = devices.slice(at, at + perMailbox)
      const { mailbox } = members[0] as Member
      requests.push({ v: 1, type: 'create', mailbox: idBytes(mailbox), adminKey: first.identity.signing.publicKey })
      const list = { mailbox, version: 1, members: members.map(({ identity }) => identity.id) }
      requests.push({ v: 1, type: 'list', ...encodeMemberList(list, first.identity.signing) })
    }
    const host = { mayConnect: () => false, onLink: () => ({ onFrame: () => undefined, onClosed: () => undefined }) }
    const node = await createNode({ signing: first.identity.signing, listen: [], host })
    for (let at = 0; at < requests.length; at += MAX_RELAY_REQUESTS) {
      const link = await node.dial(RELAY_PROTOCOL, { device: place.id, addresses: place.addresses })
      for (const request of requests.slice(at, at + MAX_RELAY_REQUESTS)) {
        await link.send(encodeRelayRequest(request))
        const answer = decodeRelayAnswer(await link.receive())
        if (!answer.ok || answer.value.type === 'refused') throw new Error(`refused: ${JSON.stringify(answer)}`)
      }
      await link.close()
    }
    await node.close()
  },
  /** The next so many of them, some at a time so that none waits too long for its turn; resolves when they are in sync. */
  async connect(count: number, atOnce: number): Promise<number> {
    const startedAt = monotonicMs()
    const signal = deadline()
    const next = devices.filter(({ running }) => running === undefined).slice(0, count)
    for (let at = 0; at < next.length; at += atOnce) {
      await Promise.all(next.slice(at, at + atOnce).map(member => start(member, signal))).catch((error: unknown) => {
        throw new Error(`${at} of ${next.length} were in sync after ${Math.round(monotonicMs() - startedAt)} ms`, { cause: error })
      })
    }
    return monotonicMs() - startedAt
  },
  /**
   * The first of each mailbox brings so many documents of one small chunk each; then it is gone. Gives how long it took from the first
   * chunk on until the relay had confirmed all of them to be on its disk.
   */
  async fill(documents: number): Promise<number> {
    const signal = deadline()
    const firsts = devices.filter((member, i) => devices[i - 1]?.mailbox !== member.mailbox)
    await Promise.all(firsts.map(member => start(member, signal)))
    const brought = firsts.map(({ mailbox, running }) => ({
      replica: running?.replica,
      made: Array.from({ length: documents }, (_, i) => chunks.commit(`${mailbox} ${i}`, `edit ${i} of ${documents}`, { bytes: 200 })),
    }))
    const startedAt = monotonicMs()
    await Promise.all(
      brought.map(async ({ replica, made }) => {
        for (let at = 0; at < made.length; at += BROUGHT_TOGETHER) await replica?.add(made.slice(at, at + BROUGHT_TOGETHER))
        await replica?.peers.when(peers => [...peers.values()].some(isDone), { signal })
      }),
    )
    const ms = monotonicMs() - startedAt
    await methods.disconnectAll()
    return ms
  },
  async disconnectAll(): Promise<void> {
    await Promise.all(
      devices.map(async member => {
        await member.running?.node.close()
        await member.running?.replica.close()
        member.running = undefined
      }),
    )
  },
}
export type Crowd = typeof methods

serve(methods)

/** A bench that cannot go on says so. */
const CONNECT_DEADLINE_MS = 120_000
const BROUGHT_TOGETHER = 10

function deadline(): AbortSignal {
  const signal = AbortSignal.timeout(CONNECT_DEADLINE_MS)
  setMaxListeners(0, signal) // all that wait at once
  return signal
}

async function start(member: Member, signal: AbortSignal): Promise<void> {
  if (relay === undefined) throw new Error('not founded')
  const { id, addresses } = relay
  const store = createMemoryChunkStore()
  const inspector = {
    inspect: () => Promise.resolve({ kind: 'good', level: 0, covers: [] } as const),
    covers: () => Promise.resolve(new Map()),
  }
  const replica = await createReplica({ store, inspector, clock: systemClock, random })
  const node = await createNode({
    signing: member.identity.signing,
    listen: [],
    host: {
      mayConnect: peer => peer === id,
      onLink(link) {
        const session = replica.attach(link)
        return {
          onFrame: (channel, frame) => (channel.startsWith('sync') ? session.onFrame(channel, frame) : undefined),
          onClosed: code => session.onClosed(code),
        }
      },
    },
  })
  member.running = { node, replica }
  node.setMembers(new Map([[id, addresses]]))
  await replica.peers.when(peers => peers.get(id)?.state === 'in-sync', { signal })
}

function isDone({ state, unconfirmed }: { readonly state: string; readonly unconfirmed: number }): boolean {
  return state === 'in-sync' && unconfirmed === 0
}
