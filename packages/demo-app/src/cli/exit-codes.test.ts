import { SegueError, type ErrorCode } from '@segue/engine'
import { expect, test } from 'vitest'
import { DaemonDown, UsageError } from '../client/daemon-client.ts'
import { exitCodeOf } from './exit-codes.ts'

test.each<[ErrorCode, number]>([
  ['DOCUMENT_NOT_TEXT', 1],
  ['CANCELLED', 1],
  ['NOT_A_MEMBER', 4],
  ['UNREACHABLE', 5],
  ['TIMED_OUT', 5],
  ['PAIRING_NOBODY_NEARBY', 5],
  ['PAIRING_VERSION', 7],
  ['SCHEMA_NEWER', 7],
  ['STORE_NEWER', 7],
  ['VERSION_UNSUPPORTED', 7],
])('%s ends with %i', (code, exit) => {
  expect(exitCodeOf(new SegueError(code))).toBe(exit)
})

test('wrong usage ends with 2, no daemon with 3, the unexpected with 1', () => {
  expect([new UsageError('?'), new DaemonDown(), new Error('?')].map(exitCodeOf)).toEqual([2, 3, 1])
})
