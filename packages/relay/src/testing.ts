/** For whoever writes another engine, and for tests across packages that need a real relay. */
export { describeMailboxEngine, type MailboxEngineUnderTest } from './engine/describe-mailbox-engine.ts'
export * from './testing/cast.ts'
export { createRelayInside, type RelayInside, type RelayInsideOptions } from './testing/relay-inside.ts'
