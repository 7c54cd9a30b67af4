/** handoff to, take, cancel, list; conflicts list, show, accept, resolve, revert. */
import type { Command } from 'commander'
import { isSegueError } from '@segue/engine/client'
import { UsageError, type DaemonClient } from '../client/daemon-client.ts'
import { action, type CliContext } from './context.ts'
import { EXIT } from './exit-codes.ts'
import { LATE_EDIT_HEADINGS, LATE_EDIT_ONLY, lateEditCells, lateEditHint, type LateEditRow } from './late-edit-texts.ts'
import { ago, shortId, table } from './output.ts'

interface MoveOptions {
  readonly session?: string
  readonly include?: readonly string[]
  readonly minutes?: string
  readonly from?: string
}

export function addHandoffCommands(program: Command): void {
  const handoff = program.command('handoff').description('move a session')
  const moving = (command: Command): Command =>
    command
      .option('--session <session>', 'which one; may be left out where there is one')
      .option('--include <kinds...>', 'only these: documents, drafts, views, preferences')
      .option('--minutes <minutes>', 'give up after so long')
  moving(handoff.command('to <device>').description('give a session to another device; queued when that is away')).action(
    action<[string, MoveOptions]>(to),
  )
  moving(handoff.command('take').description('continue here'))
    .option('--from <device>', 'default: whoever drives it')
    .action(action<[MoveOptions]>(take))
  handoff.command('cancel <id>').description('from either side').action(action<[string]>(cancel))
  handoff.command('list').description('under way, queued, and the last ones').action(action(list))

  const conflicts = program.command('conflicts').description('what was changed in two places at once, or by a removed device')
  conflicts
    .command('list [session]')
    .description('of a session, or of all; and what removed devices wrote')
    .action(action<[string | undefined]>(listConflicts))
  conflicts.command('show <session> <conflict>').action(action<[string, string]>(showConflict))
  conflicts
    .command('accept <session> <conflict>')
    .description('do what is suggested, or choose')
    .option('--choose <side>', 'ours, theirs or both')
    .option('--text <text>', 'put this there instead')
    .action(action<[string, string, { readonly choose?: string; readonly text?: string }]>(acceptConflict))
  conflicts
    .command('resolve <edit> <decision>')
    .description('accept or discard what a removed device wrote, for all your devices')
    .action(action<[string, string]>(resolveLateEdit))
  conflicts
    .command('revert <session>')
    .description('back to what it was before the last handoff or merge, as a new change')
    .option('--to <checkpoint>', 'to this one instead (segue history lists them)')
    .action(action<[string, { readonly to?: string }]>(revert))
}

interface MoveResult {
  readonly id: string
  readonly outcome: { readonly kind: string; readonly [more: string]: unknown }
}

async function to(context: CliContext, device: string, options: MoveOptions): Promise<number> {
  return move(context, 'handoff.to', { ...paramsOf(options), device })
}

async function take(context: CliContext, options: MoveOptions): Promise<number> {
  return move(context, 'handoff.take', { ...paramsOf(options), ...(options.from === undefined ? {} : { from: options.from }) })
}

function paramsOf(options: MoveOptions): Readonly<Record<string, unknown>> {
  const minutes = options.minutes === undefined ? undefined : Number(options.minutes)
  if (minutes !== undefined && !(minutes > 0)) throw new UsageError('--minutes takes a number above 0.')
  return {
    ...(options.session === undefined ? {} : { session: options.session }),
    ...(options.include === undefined ? {} : { include: options.include.flatMap(kinds => kinds.split(',')) }),
    ...(minutes === undefined ? {} : { expiresInMinutes: minutes }),
  }
}

const MILESTONE_TEXT: Readonly<Record<string, string>> = {
  authentication: 'devices know each other',
  transfer: 'everything is there',
  merge: 'merged',
  verification: 'opened, checked, on its disk',
}

async function move({ daemon, output, signal }: CliContext, command: string, params: Readonly<Record<string, unknown>>): Promise<number> {
  const client = await daemon()
  const value = await client.call<MoveResult>(command, params, {
    signal,
    onEvent(event) {
      if (event['type'] !== 'step') return
      const milestone = String(event['milestone'])
      if (event['state'] === 'reached')
        output.note(`  ✓ ${milestone.padEnd(14)} ${MILESTONE_TEXT[milestone] ?? ''} (${Math.round(Number(event['ms']))} ms)`)
      else output.progress(`${milestone}… ${Number(event['bytes'])} of about ${Number(event['totalBytes'])} bytes`)
    },
  })
  const onRelays = value.outcome.kind === 'queued' ? await waitForRelay(client, value.id, signal) : []
  output.data({ ...value, ...(onRelays.length === 0 ? {} : { onRelays }) }, () => outcomeText(value, onRelays))
  return exitOf(value.outcome)
}

/** For a few seconds: where it is not by then, it follows as soon as a relay is there. */
async function waitForRelay(client: DaemonClient, id: string, interrupted: AbortSignal): Promise<readonly string[]> {
  const signal = AbortSignal.any([interrupted, AbortSignal.timeout(ON_RELAY_MS)])
  try {
    return (await client.call<{ readonly onRelays: readonly string[] }>('handoff.on-relay', { id }, { signal })).onRelays
  } catch (error) {
    if (isSegueError(error, 'CANCELLED')) return []
    throw error
  }
}

const ON_RELAY_MS = 5_000

function outcomeText({ id, outcome }: MoveResult, onRelays: readonly string[]): string {
  switch (outcome.kind) {
    case 'done':
      if (outcome['ageMs'] !== undefined)
        return `Done, without the other device: this is how it was ${ago(Number(outcome['ageMs']))}. What it wrote since follows when it wakes.`
      return 'Done: all of it is there, checked. You may close the lid.'
    case 'needs-review':
      return `Done, and ${String(outcome['conflicts'])} change(s) made in two places at once want a look: segue conflicts list SESSION`
    case 'queued':
      if (onRelays.length > 0)
        return `The other device sleeps. A relay has the session, sealed, and gives it over: you may close the lid. segue handoff cancel ${shortId(id)} takes it back.`
      return `The other device is away. It gets the session when it is back; segue handoff cancel ${shortId(id)} takes it back.`
    case 'refused':
      return `The other device refused (${String(outcome['reason'])}). The session stays here, whole.`
    case 'expired':
      return 'It expired. The session stays here, whole.'
    case 'cancelled':
      return 'Cancelled. The session stays where it was, whole.'
    default:
      return `Failed at ${String(outcome['milestone'])} (${String(outcome['code'])}). The session stays where it was, whole; try again.`
  }
}

function exitOf(outcome: MoveResult['outcome']): number {
  if (outcome.kind === 'done' || outcome.kind === 'queued') return EXIT.ok
  if (outcome.kind === 'needs-review') return EXIT.needsReview
  if (outcome.kind === 'expired') return EXIT.unreachable
  if (outcome.kind === 'refused' && outcome['reason'] === 'schema-newer') return EXIT.incompatibleVersion
  if (outcome.kind === 'failed' && ['TIMED_OUT', 'UNREACHABLE', 'LINK_CLOSED'].includes(String(outcome['code']))) return EXIT.unreachable
  return EXIT.failed
}

async function cancel({ daemon, output }: CliContext, id: string): Promise<void> {
  const value = await (await daemon()).call<{ readonly outcome: { readonly kind: string } }>('handoff.cancel', { id })
  output.data({ ...value }, () => (value.outcome.kind === 'cancelled' ? 'Cancelled.' : `Too late: it is ${value.outcome.kind}.`))
}

interface HandoffRow {
  readonly id: string
  readonly title: string
  readonly peerName: string
  readonly side: string
  readonly state: string
  readonly milestone: string
  readonly startedAt: number
  /** Of a queued one. */
  readonly onRelays: readonly string[]
  readonly outcome?: { readonly kind: string }
}

async function list({ daemon, output }: CliContext): Promise<void> {
  const { handoffs } = await (await daemon()).call<{ readonly handoffs: readonly HandoffRow[] }>('handoff.list')
  output.data({ handoffs }, () =>
    handoffs.length === 0
      ? 'No handoffs yet. segue handoff to DEVICE moves a session.'
      : table([
          ['ID', 'SESSION', '', 'DEVICE', 'STATE', 'STARTED'],
          ...handoffs.map(row => [
            shortId(row.id),
            row.title,
            row.side === 'source' ? 'to' : 'from',
            row.peerName,
            stateText(row),
            ago(Date.now() - row.startedAt),
          ]),
        ]),
  )
}

function stateText({ state, milestone, outcome, onRelays }: HandoffRow): string {
  if (state === 'underway') return milestone
  return outcome?.kind ?? (onRelays.length > 0 ? `${state}, on relay` : state)
}

interface ConflictRow {
  readonly id: string
  readonly kind: string
  readonly sessionTitle: string
  readonly documentTitle: string
  readonly path: readonly (string | number)[]
  readonly ours: { readonly excerpt: string; readonly authorName?: string }
  readonly theirs: { readonly excerpt: string; readonly authorName?: string }
  readonly base?: string
  readonly now: string
  readonly suggested: string
}

async function listConflicts({ daemon, output, signal }: CliContext, wanted: string | undefined): Promise<number> {
  const client = await daemon()
  const params = wanted === undefined ? {} : { session: wanted }
  const { conflicts, unread } = await client.call<{ readonly conflicts: readonly ConflictRow[]; readonly unread: readonly string[] }>(
    'conflicts.list',
    params,
    { signal },
  )
  const { lateEdits } = await client.call<{ readonly lateEdits: readonly LateEditRow[] }>('lateEdits.list', params, { signal })
  output.data({ conflicts, lateEdits, unread }, () =>
    conflicts.length + lateEdits.length === 0 ? 'No conflicts.' : conflictTable(conflicts, lateEdits, wanted === undefined),
  )
  if (unread.length > 0) output.note(`Not looked into, because not all of it is here: ${unread.join(', ')}.`)
  for (const line of lateEditHint(lateEdits)) output.note(line)
  return conflicts.length + lateEdits.length === 0 ? EXIT.ok : EXIT.needsReview
}

function conflictTable(
  conflicts: readonly ConflictRow[],
  lateEdits: readonly LateEditRow[],
  ofAllSessions: boolean,
): ReturnType<typeof table> {
  const hasLate = lateEdits.length > 0
  return table([
    LATE_EDIT_HEADINGS.filter(heading => hasLate || !LATE_EDIT_ONLY.includes(heading)),
    ...conflicts.map(row => {
      const where = `${ofAllSessions ? `${row.sessionTitle}: ` : ''}${row.documentTitle} ${row.path.join('.')}`
      return [shortId(row.id), row.kind, where, ...(hasLate ? ['', '', ''] : []), row.suggested]
    }),
    ...lateEdits.map(lateEditCells),
  ])
}

async function resolveLateEdit({ daemon, output, signal }: CliContext, id: string, decision: string): Promise<void> {
  if (decision !== 'accept' && decision !== 'discard') throw new UsageError('Say accept or discard.')
  const value = await (await daemon()).call<{ readonly resolved: string }>('lateEdits.resolve', { id, decision }, { signal })
  output.data({ ...value }, () =>
    decision === 'accept' ? 'Accepted: it is in the document on all your devices.' : 'Discarded: it stays out, and no device asks again.',
  )
}

async function showConflict({ daemon, output, signal }: CliContext, wanted: string, id: string): Promise<void> {
  const row = await (await daemon()).call<ConflictRow>('conflicts.show', { session: wanted, conflict: id }, { signal })
  output.data({ ...row }, () => [
    `${row.kind} in ${row.documentTitle} ${row.path.join('.')}`,
    `  ours    ${row.ours.authorName ?? ''}  ${JSON.stringify(row.ours.excerpt)}`,
    `  theirs  ${row.theirs.authorName ?? ''}  ${JSON.stringify(row.theirs.excerpt)}`,
    ...(row.base === undefined ? [] : [`  before  ${JSON.stringify(row.base)}`]),
    `  now     ${JSON.stringify(row.now)}`,
    `  suggested: ${row.suggested}`,
  ])
}

async function acceptConflict(
  { daemon, output, signal }: CliContext,
  wanted: string,
  id: string,
  options: { readonly choose?: string; readonly text?: string },
): Promise<void> {
  if (options.choose !== undefined && !['ours', 'theirs', 'both'].includes(options.choose))
    throw new UsageError('--choose takes ours, theirs or both.')
  const choice = options.text === undefined ? options.choose : { text: options.text }
  await (
    await daemon()
  ).call('conflicts.accept', { session: wanted, conflict: id, ...(choice === undefined ? {} : { choice }) }, { signal })
  output.data({ resolved: id }, () => 'Resolved, as a new change.')
}

async function revert({ daemon, output, signal }: CliContext, wanted: string, options: { readonly to?: string }): Promise<void> {
  const params = { session: wanted, ...(options.to === undefined ? {} : { checkpoint: options.to }) }
  const value = await (
    await daemon()
  ).call<{ readonly changed: readonly string[]; readonly before: { readonly id: string } }>('history.revert', params, { signal })
  output.data(
    { ...value },
    () =>
      `Reverted ${value.changed.length} document(s), as a new change. To undo: segue conflicts revert ${wanted} --to ${shortId(value.before.id)}`,
  )
}
