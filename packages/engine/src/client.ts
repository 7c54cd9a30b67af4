/**
 * For a process that only talks to one where Segue runs, such as a command of a command line: it starts in a tenth of the time that
 * `@segue/engine` takes to load, because nothing here imports Automerge or libp2p.
 */
export {
  ACTION_WORDS,
  ERROR_TABLE,
  RULE_WORDS,
  SegueError,
  VOID_WORDS,
  isHexId,
  isSegueError,
  textOfFile,
  type ErrorCode,
} from '@segue/core/base'
export { assertPrivate, readSlots } from '@segue/storage/outside'
export { readQrImage } from './pairing-images.ts'
