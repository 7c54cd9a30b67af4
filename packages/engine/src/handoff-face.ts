/** Handoffs as apps see them: core's, and of those that wait for their target, which relays have the offer and everything with it. */
import {
  GROUP_DOC_TAG,
  SegueError,
  createCloseables,
  createSubject,
  type DeviceId,
  type Group,
  type HandoffId,
  type Handoffs,
  type HandoffSummary,
  type LocalDeletions,
  type Observable,
  type RegisterCarrier,
  type Replica,
  type SessionId,
} from '@segue/core'

export interface SegueHandoffSummary extends HandoffSummary {
  /**
   * Of one that began queued here: the relays that hold the offer and everything that goes with it, so that the target can take it while
   * this device is off. Seen once in this run, it stays.
   */
  readonly onRelays: readonly DeviceId[]
}

export interface SegueHandoffs extends Handoffs {
  readonly list: Observable<readonly SegueHandoffSummary[]>
}

/** What is not kept here is not handed on from here: SESSION_NOT_HERE. An offer to this device brings it back when it is accepted. */
export function ofWhatIsHere(handoffs: Handoffs, local: Pick<LocalDeletions, 'lacks'>): Handoffs {
  const assertHere = (session: SessionId): void => {
    if (local.lacks(session)) throw new SegueError('SESSION_NOT_HERE', { session })
  }
  return {
    ...handoffs,
    send(session, options) {
      assertHere(session)
      return handoffs.send(session, options)
    },
    take(session, options) {
      assertHere(session)
      return handoffs.take(session, options)
    },
  }
}

export interface OfferWatch {
  /** To be given to the handoffs that are then watched. */
  readonly carrier: RegisterCarrier
  watch(handoffs: Handoffs): SegueHandoffs
}

interface Parts {
  readonly group: Group
  readonly replica: Replica
  readonly carrier: RegisterCarrier
}

export function createOfferWatch({ group, replica, carrier }: Parts): OfferWatch {
  /** The offers that are registers in this replica by now, and which relays were seen to hold them. */
  const published = new Map<HandoffId, Set<DeviceId>>()
  let update = (): void => undefined

  const holdsAll = (relay: DeviceId): boolean => {
    const peer = replica.peers.peek().get(relay)
    return peer?.state === 'in-sync' && peer.unconfirmed === 0 && replica.confirmedAt(relay, GROUP_DOC_TAG)
  }
  const watchedCarrier: RegisterCarrier = {
    ...carrier,
    async publish(handoff, target, revision, offer) {
      published.delete(handoff)
      await carrier.publish(handoff, target, revision, offer)
      if (offer !== undefined) published.set(handoff, new Set())
      update()
    },
  }
  const withRelays = (summary: HandoffSummary): SegueHandoffSummary => {
    const holders = published.get(summary.id)
    if (holders !== undefined && summary.state === 'queued') {
      for (const { id, retired } of group.state.peek().relays) if (!retired && holdsAll(id)) holders.add(id)
    }
    return { ...summary, onRelays: [...(holders ?? [])] }
  }

  return {
    carrier: watchedCarrier,
    watch(handoffs) {
      const list = createSubject<readonly SegueHandoffSummary[]>(handoffs.list.peek().map(withRelays))
      const isQueued = (): boolean => handoffs.list.peek().some(({ state }) => state === 'queued')
      update = () => list.set(handoffs.list.peek().map(withRelays))
      const updateIfQueued = (): void => (isQueued() ? update() : undefined)
      const opened = createCloseables()
      opened.add(handoffs.list.subscribe(update))
      opened.add(replica.peers.subscribe(updateIfQueued))
      opened.add(replica.confirmations.subscribe(updateIfQueued))
      opened.add(() => handoffs.close())
      return { ...handoffs, list, close: opened.close, [Symbol.asyncDispose]: opened.close }
    },
  }
}
