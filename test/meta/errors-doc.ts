/** docs/errors.md as the table of errors says it. */
import { ERROR_TABLE } from '@segue/core'

const RETRY_TEXT = { never: 'no', later: 'later', now: 'yes' } as const

export function errorsDoc(): string {
  const rows = Object.entries(ERROR_TABLE).map(
    ([code, entry]) => `| \`${code}\` | ${entry.text} | ${entry.peer} | ${RETRY_TEXT[entry.retry]} |`,
  )
  return [
    '# Errors',
    '',
    'Every error that leaves Segue is a `SegueError` with one of these codes; a code never changes its meaning. Generated from',
    '`packages/core/src/lib/errors.ts` by `npm run docs:errors`; a test keeps the two equal. "Peer" is what the other side is told.',
    '',
    '| code | what it says, and the next step | peer | try again? |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n')
}
