/** What the demo found out. With --json exactly this is printed on stdout. */
export const DEMO_SCHEMA_VERSION = 1

export interface DemoReport {
  readonly schemaVersion: number
  readonly ok: boolean
  readonly pairing: { readonly ms: number }
  /** From handing a change to one daemon to hearing of it from the other, HTTP to both included. */
  readonly edit: { readonly p50Ms: number; readonly p99Ms: number }
  readonly handoff: {
    readonly outcome: string
    readonly milestones: readonly { readonly name: string; readonly ms: number }[]
    readonly bytes: number
  }
  readonly document: { readonly sha256Source: string; readonly sha256Target: string }
  readonly restored: { readonly views: number; readonly cursor: boolean; readonly draft: boolean; readonly preferences: boolean }
  readonly conflict: { readonly found: number; readonly resolved: number }
  readonly reverted: boolean
  /** With --relay. */
  readonly relay?: {
    /** On the relay's disk at the end. */
    readonly storedBytes: number
    /** How the device that woke saw the one that slept. */
    readonly path: string
    /** Of the state that was taken from the device that slept. */
    readonly ageMs: number
    /** Outcomes of the two handoffs. */
    readonly toSleeper: string
    readonly fromSleeper: string
    readonly isSameText: boolean
  }
}

/** What must hold for exit code 0. Timings are reported, never judged. */
export function proofsOf(report: Omit<DemoReport, 'ok'>): readonly { readonly claim: string; readonly holds: boolean }[] {
  const { handoff, document, restored, conflict } = report
  return [
    { claim: 'the handoff ended as done, with its four milestones', holds: handoff.outcome === 'done' && handoff.milestones.length === 4 },
    { claim: 'the text is the same on both devices, byte for byte', holds: document.sha256Source === document.sha256Target },
    {
      claim: 'two views, the cursor, the draft and the preference are on the other device',
      holds: restored.views === 2 && restored.cursor && restored.draft && restored.preferences,
    },
    { claim: 'one conflict was found, and resolved on both', holds: conflict.found === 1 && conflict.resolved === 1 },
    { claim: 'one change was reverted, as a new change, on both', holds: report.reverted },
    ...(report.relay === undefined ? [] : relayProofs(report.relay)),
  ]
}

function relayProofs(relay: NonNullable<DemoReport['relay']>): readonly { readonly claim: string; readonly holds: boolean }[] {
  return [
    {
      claim: 'a device that slept was given the session through the relay, with the same text, and the two never met',
      holds: relay.toSleeper === 'done' && relay.isSameText && relay.path === 'mailbox',
    },
    {
      claim: 'a session was taken from a device that slept, and the outcome says how old it was',
      holds: relay.fromSleeper === 'done' && relay.ageMs >= 0,
    },
  ]
}

/** `share` between 0 and 1; 0 for no samples. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b)
  const value = sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0
  return Math.round(value * 100) / 100
}
