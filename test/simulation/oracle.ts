/**
 * What people were promised during a day, and who broke it. A change counts as acknowledged once a flush that began after it has
 * resolved; from then on it may be missing nowhere (I2, I3). A handoff counts as moved when both ends say so (I8). Every promise that
 * the interface gave is on a list with its deadline (I10).
 */
import * as A from '@automerge/automerge'
import type { DocumentId } from '@automerge/automerge-repo'
import type { DeviceId, HandoffId, HandoffSummary, SessionId } from '@segue/core'
import type { SegueSession } from '@segue/engine/testing'
import { deletedFor } from './deletion-world.ts'
import type { Device, Process } from './device.ts'
import type { TimeLine } from './timeline.ts'

export type InvariantId =
  | 'I1'
  | 'I2'
  | 'I3'
  | 'I4'
  | 'I5'
  | 'I6'
  | 'I7'
  | 'I8'
  | 'I9'
  | 'I10'
  | 'deleted'
  | 'adopted'
  | 'mailbox'
  | 'duties'
  | 'relay disk'
  | 'relay named'
  | 'quiet logs'

export interface Violation {
  readonly invariant: InvariantId
  readonly text: string
}

/** Changes that somebody was told are safe. */
export interface Acknowledged {
  readonly device: DeviceId
  /** Of two under one key, this one. */
  readonly machine: Device
  readonly document: DocumentId
  readonly heads: readonly string[]
  readonly session: SessionId | undefined
}

export interface Oracle {
  readonly violations: readonly Violation[]
  violate(invariant: InvariantId, text: string): void
  readonly acknowledged: readonly Acknowledged[]
  /** A change made by a person on this device, not safe yet. */
  made(process: Process, document: DocumentId, heads: readonly string[], session?: SessionId): void
  /** `flush` resolved: what was made before it began is safe. */
  flushing(process: Process, flush: Promise<unknown>): Promise<void>
  /** A promise of the interface that must settle within `withinMs`. What becomes of it is somebody else's business. */
  promised(process: Process, what: string, work: Promise<unknown>, withinMs: number): void
  /** Those whose time is over and that have not settled, in processes that live. */
  checkPromises(): void
  /** From now on what handoffs of this process come to is compared with what was promised. */
  watchHandoffs(process: Process): void
  /** Notes what is safe at the moment this device lets go of the session. */
  watchSession(process: Process, session: SegueSession): void
  /** Handoffs that ended here, by kind of outcome. */
  readonly outcomes: ReadonlyMap<string, number>
}

/** Later than its deadline by this much is still in time: handoffs settle within a second of theirs. */
const PROMISE_GRACE_MS = 2_000

/** `onMade`: told of every change that a person makes. */
export function createOracle({ clock, note }: TimeLine, onMade: Oracle['made'] = () => undefined): Oracle {
  const violations: Violation[] = []
  const acknowledged: Acknowledged[] = []
  const unsafe = new Map<Process, Acknowledged[]>()
  const promises = new Set<{ readonly process: Process; readonly what: string; readonly due: number }>()
  const outcomes = new Map<string, number>()
  /** What was safe on the source when its claim for the other device was written. */
  const passed = new Map<HandoffId, readonly Acknowledged[]>()
  const watched = new WeakSet<SegueSession>()

  const violate = (invariant: InvariantId, text: string): void => {
    note(`VIOLATION [${invariant}] ${text}`)
    violations.push({ invariant, text: `at ${(clock.monotonic() / 1_000).toFixed(1)} s: ${text}` })
  }
  const safeHere = (device: Device, session: SessionId): readonly Acknowledged[] =>
    acknowledged.filter(each => each.machine === device && each.session === session)

  const onTargetDone = (process: Process, { id, session, kinds, outcome }: HandoffSummary): void => {
    const owed = passed.get(id)
    if (owed === undefined || kinds.length < 4 || (outcome?.kind !== 'done' && outcome?.kind !== 'needs-review') || outcome.late > 0) return
    for (const each of owed) {
      if (deletedFor(process).has(each.document)) continue
      const check = async (): Promise<void> => {
        const doc = await process.runtime.documents.read(each.document) // it may be closed again
        if (A.hasHeads(doc, [...each.heads]) || !process.isAlive()) return
        violate(
          'I8',
          `${process.device.name} has ${session.slice(0, 6)} by ${id.slice(0, 6)} without ${each.document} ${each.heads.join()}`,
        )
      }
      check().catch(() => undefined) // its process ended meanwhile
    }
  }
  const onSummary = (process: Process, summary: HandoffSummary, seen: Map<HandoffId, string>): void => {
    const state = `${summary.state} ${summary.outcome?.kind ?? ''}`
    if (seen.get(summary.id) === state) return
    seen.set(summary.id, state)
    note(`${process.device.name} handoff ${summary.id.slice(0, 6)} ${summary.side}: ${summary.milestone} ${state}`)
    if (summary.state !== 'ended' || summary.outcome === undefined) return
    outcomes.set(summary.outcome.kind, (outcomes.get(summary.outcome.kind) ?? 0) + 1)
    if (summary.side === 'target') onTargetDone(process, summary)
  }

  return {
    violations,
    violate,
    acknowledged,
    made(process, document, heads, session) {
      onMade(process, document, heads, session)
      const list = unsafe.get(process) ?? []
      unsafe.set(process, [...list, { device: process.device.id, machine: process.device, document, heads, session }])
    },
    async flushing(process, flush) {
      const before = unsafe.get(process) ?? []
      await flush
      if (!process.isAlive()) return
      acknowledged.push(...before)
      unsafe.set(
        process,
        (unsafe.get(process) ?? []).filter(each => !before.includes(each)),
      )
    },
    promised(process, what, work, withinMs) {
      const entry = { process, what, due: clock.monotonic() + withinMs + PROMISE_GRACE_MS }
      promises.add(entry)
      const settled = (): void => void promises.delete(entry)
      work.then(settled, settled)
    },
    checkPromises() {
      for (const entry of promises) {
        if (!entry.process.isAlive()) promises.delete(entry)
        else if (entry.due < clock.monotonic()) {
          promises.delete(entry)
          violate('I10', `${entry.process.device.name}: ${entry.what} is not settled`)
        }
      }
    },
    watchHandoffs(process) {
      const seen = new Map<HandoffId, string>()
      const { handoffs } = process.runtime
      for (const summary of handoffs.list.peek()) {
        seen.set(summary.id, `${summary.state} ${summary.outcome?.kind ?? ''}`)
      }
      handoffs.list.subscribe(list => {
        if (process.isAlive()) for (const summary of list) onSummary(process, summary, seen)
      })
    },
    watchSession(process, session) {
      if (watched.has(session)) return
      watched.add(session)
      const { device } = process
      session.driver.subscribe(() => {
        const [claim] = session.claims()
        if (claim?.kind === 'granted' && claim.grant?.by === device.id && claim.grant.expiresAt === 0 && !passed.has(claim.grant.handoff)) {
          const gone = deletedFor(process)
          const owed = safeHere(device, session.id).filter(({ document }) => !gone.has(document))
          passed.set(claim.grant.handoff, owed)
        }
      })
    },
    outcomes,
  }
}
