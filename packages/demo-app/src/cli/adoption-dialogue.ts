/** What a person reads before a device with work of its own joins another group, and after. */
import type { AdoptionPreview } from '@segue/engine'
import { SegueError } from '@segue/engine/client'
import type { DaemonClient } from '../client/daemon-client.ts'
import { askLine } from './ask.ts'
import type { Output } from './output.ts'

export interface AdoptedRow {
  readonly sessions: readonly string[]
  readonly documents: number
  readonly sameTitles: readonly string[]
  readonly deletedThere: number
}

/** Whether anything comes along. Rejects with CANCELLED when the person says no, PAIRING_ALREADY_MEMBER when nobody is there to ask. */
export async function mayAdopt(client: DaemonClient, output: Output, isAgreed: boolean): Promise<boolean> {
  const { preview } = await client.call<{ readonly preview?: AdoptionPreview }>('pair.preview')
  if (preview === undefined) return false
  output.event({ adoption: preview })
  for (const line of previewLines(preview)) output.note(line)
  if (isAgreed) return true
  const answer = await askLine('Join with all of it? Type yes:')
  if (answer === undefined || answer === '') throw new SegueError('PAIRING_ALREADY_MEMBER')
  if (!/^yes$/i.test(answer)) throw new SegueError('CANCELLED')
  return true
}

export function adoptedLines({ sessions, documents, sameTitles, deletedThere }: AdoptedRow): readonly string[] {
  return [
    `Brought along: ${sessions.length} session(s), ${documents} document(s). Links to them stay as they were.`,
    ...(sameTitles.length === 0 ? [] : [`There from both sides, and both kept: ${sameTitles.join(', ')}`]),
    ...(deletedThere === 0 ? [] : [`${deletedThere} document(s) were deleted for good in this group, and did not come along.`]),
  ]
}

function previewLines({ sessions, documents, incomplete, otherDevices, leaving }: AdoptionPreview): readonly string[] {
  const others = otherDevices.join(', ')
  const goodbye = {
    alone: [],
    'removes-itself': [`It leaves its group: ${others} keep what they have, and see that it is gone.`],
    'needs-an-admin': [`It leaves its group: ${others} keep what they have. It is taken out when an admin's device hears of it.`],
    'last-admin': [
      `It leaves its group as its only admin: ${others} keep what they have, and nobody there can let devices in or remove them any more.`,
      'Promote one of them first, should that matter: segue devices promote.',
    ],
  }[leaving]
  return [
    `This device has work of its own: ${sessions.length} session(s), ${documents} document(s). All of it comes along, under the keys of the group it`,
    'joins: every device there sees it. What has one title on both sides stays twice.',
    ...(incomplete.length === 0
      ? []
      : [`Not wholly on this device yet, and what is missing stays behind: ${incomplete.map(({ title }) => title).join(', ')}`]),
    ...goodbye,
  ]
}
