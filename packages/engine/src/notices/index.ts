export type { Notice, NoticeKind } from './notice.ts'
export type { Notices } from './notice-board.ts'
export { noticeText, type NoticeNames, type NoticeText } from './notice-text.ts'
