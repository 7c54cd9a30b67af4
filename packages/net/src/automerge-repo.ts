/**
 * A drop-in NetworkAdapter for apps that use a plain automerge-repo `Repo`: its messages travel over Segue's authenticated, encrypted
 * device links on the local network, without a server, between the devices named in `members` only.
 *
 *     const network = new SegueNetworkAdapter({ signing, members, mdns: true })
 *     const repo = new Repo({ network: [network], storage })
 *
 * Frames, on `sync-bulk`: one byte (1: more of this message follows, 0: its end), then bytes. A message is CBOR as automerge-repo's
 * own adapters write it; the first each way is `{type: 'arrive', peerId, peerMetadata}`.
 */
import { NetworkAdapter, cbor } from '@automerge/automerge-repo'
import type { Message, PeerId, PeerMetadata } from '@automerge/automerge-repo'
import * as v from 'valibot'
import { MAX_FRAME_BYTES, MIB, SECOND_MS, concatBytes } from '@segue/core/sealed'
import type { DeviceId } from '@segue/core/sealed'
import type { DeviceLink, DeviceLinkHandler } from '@segue/core/ports'
import type { NetNode, NodeOptions } from './net-node.ts'
import { createNode } from './node.ts'
import { systemClock } from './system-clock.ts'

export type SegueNetworkAdapterOptions = Omit<NodeOptions, 'host' | 'onRefused'> & {
  /** The devices to talk to, with addresses known for them (may be empty with mDNS on). */
  readonly members: ReadonlyMap<DeviceId, readonly string[]>
}

/** A message larger than this ends the link; automerge-repo sends a whole document in one. */
export const MAX_MESSAGE_BYTES: number = 64 * MIB

export class SegueNetworkAdapter extends NetworkAdapter {
  readonly #options: SegueNetworkAdapterOptions
  readonly #links = new Map<PeerId, DeviceLink>()
  readonly #ready: Promise<void>
  #markReady: () => void = () => undefined
  #isReady = false
  /** Starting and stopping, one after the other. */
  #work: Promise<void> = Promise.resolve()
  #node: NetNode | undefined

  constructor(options: SegueNetworkAdapterOptions) {
    super()
    this.#options = options
    this.#ready = new Promise(resolve => (this.#markReady = resolve))
  }

  isReady(): boolean {
    return this.#isReady
  }

  whenReady(): Promise<void> {
    return this.#ready
  }

  /** The running node, for its addresses and links; undefined before connect and after disconnect. */
  get node(): NetNode | undefined {
    return this.#node
  }

  connect(peerId: PeerId, peerMetadata: PeerMetadata = {}): void {
    this.peerId = peerId
    this.peerMetadata = peerMetadata
    this.#then(async () => {
      this.#node ??= await createNode({
        ...this.#options,
        host: { mayConnect: peer => this.#options.members.has(peer), onLink: link => this.#onLink(link) },
      })
      // A document asked for before the first peers are here counts as unavailable: wait for them, but not for devices that sleep.
      const { clock = systemClock } = this.#options
      clock.after(READY_AFTER_MS, () => this.#becomeReady())
    })
  }

  send(message: Message): void {
    const link = this.#links.get(message.targetId)
    if (link !== undefined) this.#sendOver(link, message)
  }

  disconnect(): void {
    const peers = [...this.#links.keys()]
    this.#links.clear()
    for (const peerId of peers) this.emit('peer-disconnected', { peerId })
    this.#then(async () => {
      const node = this.#node
      this.#node = undefined
      await node?.close()
      this.emit('close')
    })
  }

  #becomeReady(): void {
    this.#isReady = true
    this.#markReady()
  }

  #then(task: () => Promise<void>): void {
    this.#work = this.#work.then(task).catch((error: unknown) => {
      this.#options.logger?.error('automerge-repo-network-failed', { error: String(error) })
    })
  }

  #onLink(link: DeviceLink): DeviceLinkHandler {
    let peerId: PeerId | undefined
    let parts: Uint8Array[] = []
    let partBytes = 0
    this.#sendOver(link, { type: 'arrive', peerId: this.peerId, peerMetadata: this.peerMetadata })

    const onMessage = (bytes: Uint8Array): void => {
      const decoded = v.parse(messageSchema, cbor.decode(bytes)) // what throws here closes the link, as a malformed frame should
      if (peerId !== undefined) return void this.emit('message', decoded as unknown as Message)
      const arrival = v.parse(arriveSchema, decoded)
      peerId = arrival.peerId as PeerId
      this.#links.set(peerId, link)
      if (this.#links.size === this.#options.members.size) this.#becomeReady()
      this.emit('peer-candidate', { peerId, peerMetadata: arrival.peerMetadata })
    }

    return {
      onFrame(channel, frame) {
        if (channel !== 'sync-bulk' || frame.length === 0) return
        partBytes += frame.length
        if (partBytes > MAX_MESSAGE_BYTES) return link.close('frame-too-large')
        parts.push(frame.subarray(1))
        if (frame[0] === MORE) return
        const message = concatBytes(...parts)
        parts = []
        partBytes = 0
        onMessage(message)
      },
      onClosed: () => {
        if (peerId === undefined || this.#links.get(peerId) !== link) return
        this.#links.delete(peerId)
        this.emit('peer-disconnected', { peerId })
      },
    }
  }

  #sendOver(link: DeviceLink, message: object): void {
    const bytes = cbor.encode(message)
    const isDead = (error: unknown): void => this.#options.logger?.debug('automerge-repo-message-dropped', { error: String(error) })
    for (let offset = 0; offset === 0 || offset < bytes.length; offset += PART_BYTES) {
      const isLast = offset + PART_BYTES >= bytes.length
      link.send('sync-bulk', concatBytes(new Uint8Array([isLast ? LAST : MORE]), bytes.subarray(offset, offset + PART_BYTES))).catch(isDead)
    }
  }
}

/** Long enough for a dial on a busy machine. */
const READY_AFTER_MS: number = 3 * SECOND_MS
const MORE = 1
const LAST = 0
const PART_BYTES: number = MAX_FRAME_BYTES - 1

const messageSchema = v.looseObject({ type: v.string() })
const arriveSchema = v.object({ type: v.literal('arrive'), peerId: v.string(), peerMetadata: v.optional(v.looseObject({}), {}) })
