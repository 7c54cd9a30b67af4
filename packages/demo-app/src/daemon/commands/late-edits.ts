/** What removed devices wrote afterwards: listed with a suggestion, taken in or left out by a person. */
import { SegueError, type LateEditInReview, type Segue } from '@segue/engine'
import * as v from 'valibot'
import { WrongRequest, defineCommand, type DaemonCommand } from '../command.ts'
import { findSession } from './find.ts'

export const LATE_EDIT_COMMANDS: readonly DaemonCommand[] = [
  /** Of one session and of what belongs to none, or of all. */
  defineCommand('lateEdits.list', v.strictObject({ session: v.optional(v.string()) }), async ({ segue, signal }, params) => {
    const all = await segue.lateEdits.review({ signal })
    if (params.session === undefined) return { lateEdits: all }
    const { id } = findSession(segue, params.session)
    return { lateEdits: all.filter(({ session }) => session === undefined || session === id) }
  }),

  defineCommand(
    'lateEdits.resolve',
    v.strictObject({ id: v.string(), decision: v.picklist(['accept', 'discard']) }),
    async ({ segue, signal }, { id, decision }) => {
      const edit = await findLateEdit(segue, id, signal)
      if (decision === 'discard' && edit.kind === 'built-on') {
        throw new WrongRequest(
          'That is in the document already, because a device went on from it. Accept it, and change the document where it is wrong.',
        )
      }
      if (decision === 'accept') await segue.lateEdits.accept(edit.id)
      else await segue.lateEdits.discard(edit.id)
      return { resolved: edit.id, decision }
    },
  ),
]

async function findLateEdit(segue: Segue, wanted: string, signal: AbortSignal): Promise<LateEditInReview> {
  const found = (await segue.lateEdits.review({ signal })).filter(({ id }) => wanted !== '' && id.startsWith(wanted.replace(/^…/, '')))
  if (found.length !== 1) throw new SegueError('CONFLICT_UNKNOWN')
  return found[0] as LateEditInReview
}
