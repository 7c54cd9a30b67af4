/** What is said of each peer, gathered at most once a turn: a first sync settles thousands of chunks. */
import type { DeviceId } from '../lib/ids.ts'
import type { PeerReceipts } from './receipts.ts'
import type { PeerSync } from './replica-types.ts'
import type { Session } from './session-host.ts'

export interface PeerStatesParts {
  readonly receipts: ReadonlyMap<DeviceId, PeerReceipts>
  readonly sessions: ReadonlySet<Session>
  readonly behind: (session: Session) => number
  readonly linkedAt: (session: Session) => number | undefined
  readonly show: (peers: ReadonlyMap<DeviceId, PeerSync>) => void
}

/** Gives the function to call when something changed. */
export function createPeerStates({ receipts, sessions, behind, linkedAt, show }: PeerStatesParts): () => void {
  let isDue = false
  const gather = (): void => {
    isDue = false
    const next = new Map<DeviceId, PeerSync>()
    for (const [peer, each] of receipts) next.set(peer, { state: 'away', behind: 0, ...told(each) })
    for (const session of sessions) {
      const phase = session.phase()
      const each = receipts.get(session.peer)
      if (phase === 'closed' || each === undefined) continue
      const isInSync = phase === 'in-sync' && !each.isLoading()
      const state = phase === 'greeting' ? 'connecting' : isInSync ? 'in-sync' : 'catching-up'
      const present = next.get(session.peer)
      if (present?.state === 'in-sync') continue
      next.set(session.peer, { state, behind: behind(session), ...told(each), linkedAt: linkedAt(session) })
    }
    show(next)
  }
  return () => {
    if (isDue) return
    isDue = true
    queueMicrotask(gather)
  }
}

type Told = Omit<PeerSync, 'state' | 'behind' | 'linkedAt'>

function told(receipts: PeerReceipts): Told {
  return {
    unconfirmed: receipts.owed(),
    incarnation: receipts.incarnation(),
    hasGoneBack: receipts.hasGoneBack(),
    timesGoneBack: receipts.timesGoneBack(),
    hasMoreOfUs: receipts.hasMoreOfUs(),
    isFull: receipts.isFull(),
    leavesOut: receipts.leavesOut(),
  }
}
