/** What a test and a device that runs as a process of its own say to each other over IPC. */
import type { DeviceId, HandoffId, HandoffOutcome, Milestone, NoticeKind, SessionId } from '@segue/engine'

/** Each is answered once, under its number. */
export type DeviceRequest =
  | { readonly type: 'create-session'; readonly title: string; readonly text: string }
  | { readonly type: 'start-editing'; readonly session: SessionId; readonly run: string }
  | { readonly type: 'stop-editing' }
  /** Answered with undefined while the session is not there, or not all of it. */
  | { readonly type: 'show'; readonly session: SessionId }
  /** Answered once the removal is on its disk. `diesAfterMs`: by SIGKILL, from within, so long after it stands in memory; 0: in that very turn. */
  | { readonly type: 'remove'; readonly device: DeviceId; readonly name: string; readonly diesAfterMs?: number }
  | { readonly type: 'trouble' }
  | { readonly type: 'send'; readonly session: SessionId; readonly to: DeviceId }
  /** Die by SIGKILL, from within, as soon as a handoff of this session is in that milestone. */
  | { readonly type: 'die-in'; readonly session: SessionId; readonly milestone: Milestone }
  | { readonly type: 'handoffs' }

export interface DeviceAnswers {
  'create-session': SessionId
  'start-editing': undefined
  'stop-editing': undefined
  show: SessionShown | undefined
  remove: undefined
  trouble: DeviceTrouble
  send: HandoffId
  'die-in': undefined
  handoffs: readonly HandoffShown[]
}

export interface SessionShown {
  readonly text: string
  /** Of each run the numbers that are in the document. */
  readonly runs: Readonly<Record<string, readonly number[]>>
  readonly drafts: readonly string[]
  readonly holder: DeviceId | undefined
  /** Of this device's own layout: what a handoff restores. */
  readonly views: number
  readonly isArriving: boolean
}

export interface DeviceTrouble {
  readonly notices: readonly { readonly kind: NoticeKind; readonly subject: DeviceId | undefined }[]
  readonly isRemoved: boolean
  /** Other devices. */
  readonly linked: number
}

export interface HandoffShown {
  readonly id: HandoffId
  readonly session: SessionId
  readonly milestone: Milestone
  readonly state: 'underway' | 'queued' | 'ended'
  readonly outcome: HandoffOutcome['kind'] | undefined
}

export type DeviceReport =
  | { readonly type: 'ready'; readonly id: DeviceId }
  /** It is on this device's disk. */
  | { readonly type: 'saved'; readonly run: string; readonly number: number }
  | { readonly type: 'answer'; readonly number: number; readonly value: unknown }
  | { readonly type: 'failed'; readonly number: number; readonly error: string }

export interface NumberedRequest {
  readonly number: number
  readonly request: DeviceRequest
}
