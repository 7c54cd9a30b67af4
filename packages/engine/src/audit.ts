/** The audit of this device's group, and of a file that any device exported. */
import {
  auditOf,
  exportAudit,
  SegueError,
  verifyAudit,
  type DeviceIdentity,
  type GroupAudit,
  type GroupId,
  type VerifiedAudit,
} from '@segue/core'
import type { Clock } from '@segue/core/ports'
import { nativeHasher } from './platform/native-hasher.ts'
import { nativeVerifier } from './platform/native-verifier.ts'
import type { Runtime } from './runtime.ts'

export interface Audits {
  /**
   * What happened to the group: who came, went, was promoted and renamed, which keys, relays and phrases, by whom, and what did not count
   * and why. Reads the whole log anew and checks every signature, in one go: for a group of a few dozen entries in milliseconds, for the
   * ten thousand that a log can have in 3.4 s on the development machine. Rejects with STORE_DAMAGED.
   */
  audit(): Promise<GroupAudit>
  /** The same as a text for a file, signed by this device, which `verifyAuditText` checks on any machine. */
  exportAudit(): Promise<string>
}

interface Parts {
  readonly identity: DeviceIdentity
  readonly clock: Clock
  readonly runtime: () => Pick<Runtime, 'group'>
}

export function createAudits({ identity, clock, runtime }: Parts): Audits {
  return {
    async audit() {
      const entries = runtime().group.entries()
      const read = auditOf(
        entries.map(({ bytes }) => bytes),
        CHECKING,
      )
      if (!read.ok) throw new SegueError('STORE_DAMAGED', { record: 'group log', entry: read.error.entry })
      return read.value
    },
    async exportAudit() {
      const { group } = runtime()
      return exportAudit({ identity, group: group.id, entries: group.entries(), heads: group.state.peek().heads, time: clock.now() })
    },
  }
}

/** Needs no store, no keys and no network. Throws SegueError AUDIT_*. `group`: the one that it has to be about. */
export function verifyAuditText(text: string, { group }: { readonly group?: GroupId | undefined } = {}): VerifiedAudit {
  const read = verifyAudit(text, { ...CHECKING, group })
  if (!read.ok) throw new SegueError(read.error.code, read.error.details)
  return read.value
}

const CHECKING = { hasher: nativeHasher, verifier: nativeVerifier }
