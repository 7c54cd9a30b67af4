/**
 * `/segue/relay/1`, the relay's side; core's wire/relay-messages.ts describes it. One answer for each request, in turn. The peer is who
 * Noise proved it to be; until it has an account or is on a list, nothing it says is stored.
 */
import { createHash } from 'node:crypto'
import {
  MAX_RELAY_REQUESTS,
  SegueError,
  decodeMemberList,
  decodeRelayRequest,
  encodeRelayAnswer,
  hexId,
  refusalFor,
} from '@segue/core/sealed'
import {
  isListReader,
  isMailboxMoveSigned,
  verifyMemberList,
  type DeviceId,
  type MailboxId,
  type RelayAnswer,
  type RelayRefusal,
  type RelayRequest,
} from '@segue/core/sealed'
import type { Clock, Logger, PairingLink } from '@segue/core/ports'
import { isSettled, type MailboxEngine, type MailboxRecord } from '../engine/mailbox-engine.ts'
import type { Directory } from '../mailboxes/directory.ts'

export interface ControlOptions {
  readonly engine: MailboxEngine
  readonly directory: Directory
  readonly clock: Clock
  readonly logger: Logger
  readonly isDraining: () => boolean
  /** A list is in force: who is no longer on it goes. */
  readonly onListed: (mailbox: MailboxRecord) => void
  /** A device named the mailbox that is its own, or one took the place of another: links may lead elsewhere. */
  readonly onChosen: () => void
  /** Another took the place that it was to take, and it held nothing. */
  readonly onGone: (mailbox: MailboxId) => Promise<void>
  readonly onAnswered: (request: RelayRequest['type'] | 'none', answer: RelayRefusal | 'ok') => void
  readonly retiredBytes: (mailbox: MailboxId) => Promise<number>
}

export function createControl(options: ControlOptions): (link: PairingLink) => void {
  const { engine, directory, clock, logger } = options

  const answerTo = async (peer: DeviceId, request: RelayRequest): Promise<RelayAnswer | RelayRefusal> => {
    if (options.isDraining()) return 'draining'
    switch (request.type) {
      case 'claim': {
        const claimed = await engine.claim(hashOfToken(request.token), peer, wholeNow())
        return typeof claimed === 'string' ? claimed : { v: 1, type: 'claimed', quotas: claimed.quotas, retention: claimed.retention }
      }
      case 'create': {
        const id = hexId<MailboxId>(request.mailbox)
        const outcome = await engine.createMailbox({ id, account: peer, adminKey: request.adminKey, time: wholeNow() })
        if (outcome !== 'created') return outcome === 'no-account' ? 'not-yours' : outcome
        const record = await engine.mailbox(id)
        if (record !== undefined) directory.put(record)
        return { v: 1, type: 'created' }
      }
      case 'move':
        return move(request)
      case 'list':
        return replaceList(request)
      case 'get-list': {
        const asked = request.mailbox.every(byte => byte === 0) ? directory.mailboxOf(peer) : undefined
        const record = asked ?? mailboxByKey(peer, request) ?? ownMailbox(peer, request.mailbox)
        if (typeof record === 'string') return record
        return { v: 1, type: 'member-list', ...(record.list === undefined ? {} : { list: record.list.signed }) }
      }
      case 'status':
        return status(ownMailbox(peer, request.mailbox))
      default:
        return request satisfies never
    }
  }

  const wholeNow = (): number => Math.max(0, Math.trunc(clock.now()))

  /** Those on the list; until there is one, the account: the device that has it may leave the group. Whatever is wrong, others hear the same. */
  const ownMailbox = (peer: DeviceId, mailbox: Uint8Array): MailboxRecord | RelayRefusal => {
    const record = directory.get(hexId<MailboxId>(mailbox))
    if (record === undefined || !(record.list?.peers.includes(peer) ?? record.account === peer)) return 'not-yours'
    if (directory.isRevoked(record.account)) return 'revoked'
    if (record.list?.peers.includes(peer) === true && directory.choose(peer, record.account)) options.onChosen()
    return record
  }

  /** Who has the key that signs its lists, while that key may still do so. Of a proof that is none nobody hears anything. */
  const mailboxByKey = (reader: DeviceId, { mailbox, proof }: Extract<RelayRequest, { type: 'get-list' }>): MailboxRecord | undefined => {
    const record = directory.get(hexId<MailboxId>(mailbox))
    if (proof === undefined || record === undefined || directory.isRevoked(record.account)) return undefined
    const next = record.replaced && directory.get(record.replaced.by)
    return isSettled(next) || !isListReader({ mailbox, reader }, proof, record.adminKey) ? undefined : record
  }

  /** Whoever brings it: the old admin key's signature is what counts. The account stays what it was. */
  const move = async (request: Extract<RelayRequest, { type: 'move' }>): Promise<RelayAnswer | RelayRefusal> => {
    const old = directory.get(hexId<MailboxId>(request.from))
    if (old === undefined) return 'not-yours'
    if (!isMailboxMoveSigned(request, request.signature, old.adminKey)) return 'bad-signature'
    if (directory.isRevoked(old.account)) return 'revoked'
    const id = hexId<MailboxId>(request.mailbox)
    const { account } = old
    const outcome = await engine.createMailbox({ id, account, adminKey: request.adminKey, time: wholeNow(), replaces: old.id })
    if (outcome !== 'created') return outcome === 'no-account' ? 'not-yours' : outcome
    const rival = old.replaced?.by
    if (rival !== undefined && (await engine.mailbox(rival)) === undefined) await options.onGone(rival)
    for (const changed of [await engine.mailbox(id), await engine.mailbox(old.id)]) if (changed !== undefined) directory.put(changed)
    options.onChosen()
    return { v: 1, type: 'moved' }
  }

  /** Whoever brings it: the admin's signature is what counts. */
  const replaceList = async ({ record, signature }: Extract<RelayRequest, { type: 'list' }>): Promise<RelayAnswer | RelayRefusal> => {
    const claimed = decodeMemberList(record)
    if (!claimed.ok) return 'malformed'
    const mailbox = directory.get(claimed.value.mailbox)
    if (mailbox === undefined) return 'not-yours'
    const verified = verifyMemberList({ record, signature }, mailbox.adminKey)
    if (!verified.ok) return 'bad-signature'
    if (directory.isRevoked(mailbox.account)) return 'revoked'
    const { version, members, recovery } = verified.value
    const peers = recovery === undefined ? members : [...new Set([...members, recovery.key])]
    const outcome = await engine.replaceList(mailbox.id, { version, signed: { record, signature }, peers })
    if (outcome === 'stale') return 'stale'
    if (outcome === 'unknown') return 'not-yours'
    directory.put(outcome)
    options.onListed(outcome)
    return { v: 1, type: 'listed', version }
  }

  const status = async (record: MailboxRecord | RelayRefusal): Promise<RelayAnswer | RelayRefusal> => {
    if (typeof record === 'string') return record
    const [account, usage, mailbox] = await Promise.all([engine.account(record.account), engine.usage(record.account), sizeOf(record.id)])
    if (account === undefined) return 'not-yours'
    return {
      v: 1,
      type: 'mailbox-status',
      ...mailbox,
      retiredBytes: await options.retiredBytes(record.id),
      quotas: account.quotas,
      usedBytes: usage.bytes,
      usedChunks: usage.chunks,
      retention: account.retention,
      listVersion: record.list?.version ?? 0,
    }
  }
  const sizeOf = async (id: MailboxId): Promise<{ readonly chunks: number; readonly bytes: number }> => (await engine.open(id)).size()

  const converse = async (link: PairingLink): Promise<void> => {
    for (let requests = 0; ; requests++) {
      const frame = await link.receive()
      const request = decodeRelayRequest(frame)
      const outcome = !request.ok
        ? refusalFor(frame)
        : requests >= MAX_RELAY_REQUESTS
          ? 'too-many'
          : await answerTo(link.peer, request.value)
      const isRefused = typeof outcome === 'string'
      options.onAnswered(request.ok ? request.value.type : 'none', isRefused ? outcome : 'ok')
      await link.send(encodeRelayAnswer(isRefused ? { v: 1, type: 'refused', why: outcome } : outcome))
      if (!request.ok || outcome === 'too-many') return
    }
  }

  return link =>
    void converse(link)
      .catch((error: unknown) => {
        // That the stream ended is how a conversation ends.
        const isOver = error instanceof SegueError && ['LINK_CLOSED', 'FRAME_INVALID', 'FRAME_TOO_LARGE'].includes(error.code)
        if (!isOver) logger.error('request-failed', { error: String(error) })
      })
      .finally(() => void link.close())
}

export function hashOfToken(token: Uint8Array): string {
  return createHash('sha256').update(token).digest('hex')
}
