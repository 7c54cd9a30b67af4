/**
 * The work behind a state: each step calls the collaborators and comes back with the event that it leads to. A step keeps
 * nothing; after a crash it is simply run again.
 */
import { assert } from '../lib/assert.ts'
import { SegueError } from '../lib/errors.ts'
import { encodeControlMessage, MAX_HEADS, MAX_MANIFEST_DOCUMENTS } from '../wire/control-messages.ts'
import type { ClaimWriter } from './claims.ts'
import type { HandoffComponents, Manifest } from './collaborators.ts'
import { countChanged } from './manifest.ts'
import { composeMessage } from './messages.ts'
import type { HandoffEvent, HandoffRecord, SourceRecord, StepName, TargetRecord } from './state.ts'

/** What a running handoff remembers besides its record; lost in a restart without harm. */
export interface StepMemory {
  hotSet: Uint8Array | undefined
  hasConsent: boolean
  /** The attempt whose offer was handed to the carrier. */
  published: number
  bytes: number
}

export interface StepContext {
  readonly memory: StepMemory
  readonly signal: AbortSignal
  readonly onBytes: (bytes: number) => void
}

export interface Steps {
  /** `undefined`: done, and nothing follows from it. */
  run(step: StepName, record: HandoffRecord, context: StepContext): Promise<HandoffEvent | undefined>
}

/** Documents opened at the same time: enough to keep the disk busy, few enough to keep memory small. */
const OPEN_AT_ONCE = 16
/** Room in the register for attempts with a revision each. */
const REVISIONS_PER_ATTEMPT = 1_000

export function createSteps(components: HandoffComponents, claims: ClaimWriter): Steps {
  const { identity, clock, sessions, content, devices, carrier } = components

  const prepare = async (record: SourceRecord, { memory, signal }: StepContext): Promise<HandoffEvent> => {
    const { session, kinds, peer } = record
    if (!devices.isActive(peer)) return { type: 'denied', reason: 'not-offered' }
    if (!(await sessions.has(session))) return { type: 'denied', reason: 'unknown-session' }
    if (record.incoming && !(await hasConsent(record, memory, signal))) return { type: 'denied', reason: 'declined' }
    await sessions.flush(session)
    const checkpoint = record.checkpoint ?? (await sessions.takeCheckpoint(session))
    const held = (await claims.lease(session)).holder === identity.id
    const isQueued = !record.incoming && devices.link(peer) === undefined
    const standing = isQueued ? await claims.promise(record) : undefined
    memory.hotSet = await sessions.hotSet(session, kinds)
    return { type: 'prepared', manifest: await manifestNow(record), checkpoint, held, standing }
  }

  const manifestNow = async ({ session, kinds }: HandoffRecord): Promise<Manifest> => {
    const manifest = await sessions.manifest(session, kinds)
    const isSendable =
      manifest.documents.length <= MAX_MANIFEST_DOCUMENTS && manifest.documents.every(({ heads }) => heads.length <= MAX_HEADS)
    if (!isSendable) throw new SegueError('HANDOFF_TOO_LARGE')
    return manifest
  }

  const publish = async (record: SourceRecord, { memory }: StepContext): Promise<HandoffEvent | undefined> => {
    if (await claims.isTaken(record)) {
      // its claim came by itself, through a third device or a relay; it claims only what it verified
      return { type: 'verified', attempt: record.attempt, revision: record.revision, bytes: record.bytes, conflicts: record.conflicts }
    }
    if (carrier === undefined || memory.published === record.attempt) return
    memory.hotSet ??= await sessions.hotSet(record.session, record.kinds)
    const { hotSet, bytes } = memory
    const here = { self: identity.id, signing: identity.signing, now: clock.now(), hotSet, bytes }
    const offer = composeMessage(record, 'offer', here)
    if (offer === undefined) return
    await carrier.publish(record.id, record.target, registerRevision(record), encodeControlMessage(offer))
    memory.published = record.attempt
  }

  const recheck = async (record: SourceRecord): Promise<HandoffEvent> => {
    await sessions.flush(record.session)
    const manifest = await manifestNow(record)
    const { holder } = await claims.lease(record.session)
    if (record.held && holder !== identity.id && holder !== record.target) return { type: 'lease-moved' }
    // its own claim has changed the session document since the target verified it
    const counted =
      record.authority === 'standing' ? { ...manifest, documents: manifest.documents.filter(({ kind }) => kind !== 'session') } : manifest
    const changed = record.manifest === undefined ? counted.documents.length : countChanged(record.manifest, counted)
    return { type: 'rechecked', manifest, changed }
  }

  const pass = async (record: SourceRecord): Promise<HandoffEvent> => {
    const written = await claims.pass(record)
    if (written.kind === 'moved') return { type: 'lease-moved' }
    const { confirmed } = await claims.lease(record.session)
    return { type: 'lease-written', claim: written.claim, confirmed }
  }

  const withdraw = async (record: SourceRecord): Promise<HandoffEvent> => {
    await carrier?.publish(record.id, record.target, registerRevision(record) + 1, undefined)
    await claims.keep(record)
    return { type: 'lease-written', claim: undefined, confirmed: false }
  }

  const decide = async (record: TargetRecord, { memory, signal }: StepContext): Promise<HandoffEvent> => {
    const { session, kinds, authority, peer, target } = record
    const isKnown = await sessions.has(session)
    if (authority === 'alone' && !isKnown) return { type: 'denied', reason: 'unknown-session' }
    const manifest = authority === 'alone' ? await sessions.manifest(session, kinds) : undefined
    if (((manifest ?? record.manifest)?.schemaVersion ?? 0) > sessions.schemaVersion) return { type: 'denied', reason: 'schema-newer' }
    if (record.incoming && !(await hasConsent(record, memory, signal))) return { type: 'denied', reason: 'declined' }
    // before the checkpoint, which is a change as well; what was ours all the time has no age
    const changedAt = authority === 'alone' && peer !== target ? await sessions.changedAt(session) : undefined
    const ageMs = changedAt === undefined ? {} : { ageMs: Math.max(0, Math.trunc(clock.now() - changedAt)) }
    return { type: 'consented', checkpoint: isKnown ? await sessions.takeCheckpoint(session) : undefined, manifest, ...ageMs }
  }

  const fetch = async (record: TargetRecord, { signal, onBytes, memory }: StepContext): Promise<HandoffEvent> => {
    const manifest = manifestOf(record)
    const ids = manifest.documents.map(document => document.documentId)
    const before = memory.bytes
    const letGo = content.want(ids)
    const unwatch = content.watchArrival(ids, bytes => onBytes(before + bytes))
    try {
      await containAll(manifest, signal)
    } finally {
      unwatch()
      letGo()
    }
    return { type: 'transferred', bytes: memory.bytes }
  }

  const merge = async ({ session, checkpoint }: TargetRecord): Promise<HandoffEvent> => ({
    type: 'merged',
    conflicts: checkpoint === undefined ? 0 : await sessions.conflictsSince(session, checkpoint),
  })

  const check = async (record: TargetRecord, { signal }: StepContext): Promise<HandoffEvent> => {
    const { standing, authority } = record
    if (authority === 'standing' && standing !== undefined && clock.now() > standing.expiresAt) {
      return { type: 'step-failed', code: 'HANDOFF_EXPIRED', retry: 'never' }
    }
    await sessions.flush(record.session)
    await containAll(manifestOf(record), signal)
    return { type: 'checked' }
  }

  const restore = async (record: TargetRecord, { signal }: StepContext): Promise<HandoffEvent> => {
    await claims.adopt(record)
    await sessions.restore(record.session, record.kinds, { signal })
    const { holder, confirmed } = await claims.lease(record.session)
    return { type: 'restored', complete: true, confirmed: confirmed && holder === identity.id }
  }

  const hasConsent = async (record: HandoffRecord, memory: StepMemory, signal: AbortSignal): Promise<boolean> => {
    if (devices.consent === undefined || memory.hasConsent) return true
    const direction = record.side === 'target' ? 'incoming' : 'outgoing'
    memory.hasConsent = await devices.consent({ handoff: record.id, session: record.session, from: record.peer, direction, signal })
    return memory.hasConsent
  }

  const containAll = async (manifest: Manifest, signal: AbortSignal): Promise<void> => {
    const queue = manifest.documents.values()
    const work = async (): Promise<void> => {
      for (const { documentId, heads } of queue) await content.whenContains(documentId, heads, { signal })
    }
    await Promise.all(Array.from({ length: Math.min(OPEN_AT_ONCE, manifest.documents.length) }, work))
  }

  return {
    async run(step, record, context) {
      if (record.side === 'source') {
        if (step === 'prepare') return prepare(record, context)
        if (step === 'publish') return publish(record, context)
        if (step === 'recheck') return recheck(record)
        if (step === 'write-claim') return pass(record)
        if (step === 'withdraw') return withdraw(record)
        return
      }
      if (step === 'decide') return decide(record, context)
      if (step === 'fetch') return fetch(record, context)
      if (step === 'merge') return merge(record)
      if (step === 'check') return check(record, context)
      if (step === 'restore') return restore(record, context)
      if (step !== 'write-claim') return
      await claims.take(record)
      return { type: 'lease-written' }
    },
  }
}

function registerRevision(record: SourceRecord): number {
  return record.attempt * REVISIONS_PER_ATTEMPT + record.revision
}

function manifestOf(record: TargetRecord): Manifest {
  assert(record.manifest, 'a target transfers only what a manifest names')
  return record.manifest
}
