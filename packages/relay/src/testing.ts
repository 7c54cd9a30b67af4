/** For whoever writes another engine. */
export { describeMailboxEngine, type MailboxEngineUnderTest } from './engine/describe-mailbox-engine.ts'
