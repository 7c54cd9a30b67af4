/** What apps and the other packages use of core. */
export { ERROR_TABLE, SegueError, isSegueError, type ErrorCode, type ErrorEntry, type Retry } from './lib/errors.ts'
