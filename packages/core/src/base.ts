/**
 * What a process needs that only talks to a running Segue: errors, their words, and small decoding. A command starts in a tenth of the time
 * that all of core takes to load, so nothing here may import Automerge or the cryptography.
 */
export { ERROR_TABLE, SegueError, isSegueError, type ErrorCode } from './lib/errors.ts'
export { bytesUpTo, decodeCbor, encodeCbor } from './lib/codec.ts'
export { isHexId } from './lib/ids.ts'
export { sleepOn } from './lib/sleep.ts'
export { textOfFile } from './session/text-file.ts'
export { ACTION_WORDS, RULE_WORDS, VOID_WORDS } from './audit/words.ts'
