/** Letting a device in, and asking to be let in. */
import { SegueError, type InviterState, type Invitation, type Segue } from '@segue/engine'
import * as v from 'valibot'
import { defineCommand, type DaemonCommand } from '../command.ts'

/** The invitation that `pair.new` shows now, for `pair.confirm`. */
const shown = new WeakMap<Segue, Invitation>()

export const PAIRING_COMMANDS: readonly DaemonCommand[] = [
  /** Emits the invitation, then each change of its state; ends when it does. Going away before closes it. */
  defineCommand(
    'pair.new',
    v.strictObject({
      minutes: v.optional(v.pipe(v.number(), v.minValue(0.1), v.maxValue(10)), 2),
      remote: v.optional(v.boolean(), true),
    }),
    async ({ segue, emit, signal }, { minutes, remote }) => {
      const invitation = await segue.pairing.invite({ expiresInMs: minutes * 60_000, remote })
      shown.set(segue, invitation)
      try {
        emit({
          type: 'invitation',
          text: invitation.text,
          expiresAt: invitation.expiresAt,
          terminal: await invitation.qr.terminal(),
          png: Buffer.from(await invitation.qr.png()).toString('base64'),
        })
        const stopFollowing = invitation.state.subscribe(state => emit({ type: 'state', ...state }))
        try {
          return outcomeOf(await invitation.state.when(isOver, { signal }))
        } finally {
          stopFollowing()
        }
      } finally {
        shown.delete(segue)
        // One that ended by itself stays, and tells who comes late why; it goes when the next is shown, or after some minutes.
        if (!isOver(invitation.state.peek())) await invitation.close()
      }
    },
  ),

  /** `mayBeRemote`: the person was asked about the device of PAIRING_REMOTE, and said yes. */
  defineCommand(
    'pair.confirm',
    v.strictObject({ code: v.string(), mayBeRemote: v.optional(v.boolean(), false), passphrase: v.optional(v.string()) }),
    async ({ segue }, { code, mayBeRemote, passphrase }) => {
      const invitation = shown.get(segue)
      if (invitation === undefined) throw new SegueError('PAIRING_EXPIRED')
      return { ...(await invitation.confirm(code, { mayBeRemote, passphrase })) }
    },
  ),

  /** What would come along, were this device to join another group; nothing where it has nothing of its own. */
  defineCommand('pair.preview', v.strictObject({}), async ({ segue }) => ({ preview: await segue.pairing.preview() })),

  /**
   * Emits the code to be typed on the other device; ends when that was done. `adopt`: the person saw the preview and said yes. Titles that
   * both sides have are named as far as the other side's sessions arrive within a few seconds.
   */
  defineCommand(
    'pair.join',
    v.union([
      v.strictObject({ text: v.string(), adopt: v.optional(v.boolean(), false) }),
      v.strictObject({ nearby: v.string(), adopt: v.optional(v.boolean(), false) }),
    ]),
    async ({ segue, emit, signal }, invitation) => {
      const source = 'text' in invitation ? invitation.text : segue.pairing.nearby.peek().find(({ id }) => id === invitation.nearby)
      if (source === undefined) throw new SegueError('PAIRING_NOBODY_NEARBY')
      const joining = await segue.pairing.join(source, { signal, ...(invitation.adopt ? { adopt: () => true } : {}) })
      signal.addEventListener('abort', () => joining.cancel(), { once: true })
      emit({ type: 'code', code: joining.code })
      const outcome = await joining.done
      if (!outcome.ok) throw new SegueError(outcome.code)
      if (outcome.adopted === undefined) return { inviter: outcome.inviter }
      const late = AbortSignal.any([signal, AbortSignal.timeout(THEIRS_ARRIVE_MS)])
      await segue.pairing.adopted.when(adopted => (adopted?.sameTitles.length ?? 0) > 0, { signal: late }).catch(() => undefined)
      return { inviter: outcome.inviter, adopted: segue.pairing.adopted.peek() }
    },
  ),

  /** Emits the list of devices nearby with pairing open, now and at each change, until whoever asked goes away. */
  defineCommand('pair.nearby', v.strictObject({}), async ({ segue, emit, signal }) => {
    const show = (): void => emit({ type: 'nearby', devices: segue.pairing.nearby.peek() })
    show()
    const stop = segue.pairing.nearby.subscribe(show)
    try {
      await segue.pairing.nearby.when(() => false, { signal })
    } finally {
      stop()
    }
  }),
]

const THEIRS_ARRIVE_MS = 3_000

function isOver(state: InviterState): boolean {
  return state.kind === 'done' || state.kind === 'failed'
}

function outcomeOf(state: InviterState): Readonly<Record<string, unknown>> {
  if (state.kind === 'failed') throw new SegueError(state.code)
  return { device: state.kind === 'done' ? state.device : undefined }
}
