/** Moving a session. Progress is emitted as it comes; the outcome is the result. */
import { SESSION_KINDS, SegueError, type Handoff, type HandoffId, type Segue } from '@segue/engine'
import * as v from 'valibot'
import { defineCommand, type CommandContext, type DaemonCommand } from '../command.ts'
import { findDevice, findSessionOrOnly } from './find.ts'

const include = v.optional(v.array(v.picklist(SESSION_KINDS, `takes ${SESSION_KINDS.join(', ')}`)))
const minutes = v.optional(v.pipe(v.number(), v.minValue(0.01)))

export const HANDOFF_COMMANDS: readonly DaemonCommand[] = [
  defineCommand(
    'handoff.to',
    v.strictObject({ session: v.optional(v.string()), device: v.string(), include, expiresInMinutes: minutes }),
    async (context, params) => {
      const { segue } = context
      const to = findDevice(segue, params.device).id
      const handoff = segue.handoff.send(findSessionOrOnly(segue, params.session).id, { to, ...optional(params) })
      return report(context, handoff)
    },
  ),

  defineCommand(
    'handoff.take',
    v.strictObject({ session: v.optional(v.string()), from: v.optional(v.string()), include, expiresInMinutes: minutes }),
    async (context, params) => {
      const { segue } = context
      if (segue.devices.peek().length < 2) throw new SegueError('NOT_A_MEMBER')
      const handoff = segue.handoff.take(findSessionOrOnly(segue, params.session).id, {
        ...(params.from === undefined ? {} : { from: findDevice(segue, params.from).id }),
        ...optional(params),
      })
      return report(context, handoff)
    },
  ),

  defineCommand('handoff.cancel', v.strictObject({ id: v.string() }), async ({ segue }, { id }) => {
    const cancelled = await segue.handoff.cancel(findHandoff(segue, id))
    if (!cancelled.ok) throw new SegueError(cancelled.error)
    return { outcome: cancelled.value }
  }),

  defineCommand('handoff.rollback', v.strictObject({ id: v.string() }), async ({ segue }, { id }) => {
    const rolledBack = await segue.handoff.rollback(findHandoff(segue, id))
    if (!rolledBack.ok) throw new SegueError(rolledBack.error)
    return {}
  }),

  defineCommand('handoff.list', v.strictObject({}), async ({ segue }) => {
    const titles = new Map(segue.sessions.list.peek().map(session => [session.id, session.title]))
    const names = new Map(segue.devices.peek().map(device => [device.id, device.name]))
    const handoffs = segue.handoff.list.peek().map(handoff => ({
      ...handoff,
      title: titles.get(handoff.session) ?? '',
      peerName: names.get(handoff.peer) ?? '',
    }))
    return { handoffs }
  }),

  /** Resolves when a relay has a queued handoff and everything with it, when it is not queued any more, or at once where there is no relay. */
  defineCommand('handoff.on-relay', v.strictObject({ id: v.string() }), async ({ segue, signal }, { id }) => {
    const wanted = findHandoff(segue, id)
    if (segue.relays.list.peek().length === 0) return { onRelays: [] }
    const handoffs = await segue.handoff.list.when(
      list => list.some(each => each.id === wanted && (each.state !== 'queued' || each.onRelays.length > 0)),
      { signal },
    )
    return { onRelays: handoffs.find(each => each.id === wanted)?.onRelays ?? [] }
  }),

  /** Waits until a handoff, incoming ones included, has ended here. */
  defineCommand('handoff.follow', v.strictObject({ id: v.string() }), async (context, { id }) => {
    const handoff = context.segue.handoff.follow(findHandoff(context.segue, id))
    if (handoff === undefined) throw new SegueError('HANDOFF_UNKNOWN')
    return report(context, handoff)
  }),
]

/** Ends with the outcome; one that is queued goes on by itself. Who goes away before takes the handoff back. */
async function report({ emit, signal, segue }: CommandContext, handoff: Handoff): Promise<Readonly<Record<string, unknown>>> {
  const takeBack = (): void => void segue.handoff.cancel(handoff.id)
  signal.addEventListener('abort', takeBack, { once: true })
  emit({ type: 'started', id: handoff.id })
  const milestones = new Map<string, number>()
  let bytes = 0
  const following = (async () => {
    for await (const step of handoff.progress) {
      emit({ type: 'step', ...step })
      if (step.state === 'reached') milestones.set(step.milestone, step.ms)
      bytes = step.bytes
    }
  })()
  const outcome = await handoff.done
  signal.removeEventListener('abort', takeBack)
  if (outcome.kind !== 'queued') await following
  return { id: handoff.id, outcome, milestones: [...milestones].map(([name, ms]) => ({ name, ms })), bytes }
}

function findHandoff(segue: Segue, wanted: string): HandoffId {
  const found = segue.handoff.list.peek().filter(handoff => handoff.id.startsWith(wanted))
  if (found.length !== 1 || wanted === '') throw new SegueError('HANDOFF_UNKNOWN')
  return (found[0] as { readonly id: HandoffId }).id
}

function optional(params: {
  readonly include?: readonly (typeof SESSION_KINDS)[number][] | undefined
  readonly expiresInMinutes?: number | undefined
}): { readonly include?: readonly (typeof SESSION_KINDS)[number][]; readonly expiresInMs?: number } {
  return {
    ...(params.include === undefined ? {} : { include: params.include }),
    ...(params.expiresInMinutes === undefined ? {} : { expiresInMs: params.expiresInMinutes * 60_000 }),
  }
}
