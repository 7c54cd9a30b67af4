/**
 * The first change of every root document, version 1: `{v: 1, documents: {00: {}, ... ff: {}}, sessions: {00: {}, ... ff: {}}}`.
 * Pinned: only ever loaded. Encoding it again, or going on with its actor, would make another document of it.
 */
import { base64 } from '@scure/base'

export const ROOT_GENESIS_HASH = 'de08ac56a75e485cc251a9900fc4b1577caa92c345e70105d790db78830d92b5'

/** One Automerge change, actor and time zero. */
export const ROOT_GENESIS: Uint8Array = base64.decode(
  [
    'hW9Kg94IrFYB5QwAEAAAAAAAAAAAAAAAAAAAAAABAQAAAAgBCgILFZcMNAJCBVYFVwFwAwACgAIAAAGAAgAAAoACAgABgAKDAv17AXYJZG9jdW1lbnRzAjAwAjAxAjAyAj',
    'AzAjA0AjA1AjA2AjA3AjA4AjA5AjBhAjBiAjBjAjBkAjBlAjBmAjEwAjExAjEyAjEzAjE0AjE1AjE2AjE3AjE4AjE5AjFhAjFiAjFjAjFkAjFlAjFmAjIwAjIxAjIyAjIz',
    'AjI0AjI1AjI2AjI3AjI4AjI5AjJhAjJiAjJjAjJkAjJlAjJmAjMwAjMxAjMyAjMzAjM0AjM1AjM2AjM3AjM4AjM5AjNhAjNiAjNjAjNkAjNlAjNmAjQwAjQxAjQyAjQzAj',
    'Q0AjQ1AjQ2AjQ3AjQ4AjQ5AjRhAjRiAjRjAjRkAjRlAjRmAjUwAjUxAjUyAjUzAjU0AjU1AjU2AjU3AjU4AjU5AjVhAjViAjVjAjVkAjVlAjVmAjYwAjYxAjYyAjYzAjY0',
    'AjY1AjY2AjY3AjY4AjY5AjZhAjZiAjZjAjZkAjZlAjZmAjcwAjcxAjcyAjczAjc0Ajc1Ajc2Ajc3Ajc4Ajc5AjdhAjdiAjdjAjdkAjdlAjdmAjgwAjgxAjgyAjgzAjg0Aj',
    'g1Ajg2Ajg3Ajg4Ajg5AjhhAjhiAjhjAjhkAjhlAjhmAjkwAjkxAjkyAjkzAjk0Ajk1Ajk2Ajk3Ajk4Ajk5AjlhAjliAjljAjlkAjllAjlmAmEwAmExAmEyAmEzAmE0AmE1',
    'AmE2AmE3AmE4AmE5AmFhAmFiAmFjAmFkAmFlAmFmAmIwAmIxAmIyAmIzAmI0AmI1AmI2AmI3AmI4AmI5AmJhAmJiAmJjAmJkAmJlAmJmAmMwAmMxAmMyAmMzAmM0AmM1Am',
    'M2AmM3AmM4AmM5AmNhAmNiAmNjAmNkAmNlAmNmAmQwAmQxAmQyAmQzAmQ0AmQ1AmQ2AmQ3AmQ4AmQ5AmRhAmRiAmRjAmRkAmRlAmRmAmUwAmUxAmUyAmUzAmU0AmU1AmU2',
    'AmU3AmU4AmU5AmVhAmViAmVjAmVkAmVlAmVmAmYwAmYxAmYyAmYzAmY0AmY1AmY2AmY3AmY4AmY5AmZhAmZiAmZjAmZkAmZlAmZmCHNlc3Npb25zAjAwAjAxAjAyAjAzAj',
    'A0AjA1AjA2AjA3AjA4AjA5AjBhAjBiAjBjAjBkAjBlAjBmAjEwAjExAjEyAjEzAjE0AjE1AjE2AjE3AjE4AjE5AjFhAjFiAjFjAjFkAjFlAjFmAjIwAjIxAjIyAjIzAjI0',
    'AjI1AjI2AjI3AjI4AjI5AjJhAjJiAjJjAjJkAjJlAjJmAjMwAjMxAjMyAjMzAjM0AjM1AjM2AjM3AjM4AjM5AjNhAjNiAjNjAjNkAjNlAjNmAjQwAjQxAjQyAjQzAjQ0Aj',
    'Q1AjQ2AjQ3AjQ4AjQ5AjRhAjRiAjRjAjRkAjRlAjRmAjUwAjUxAjUyAjUzAjU0AjU1AjU2AjU3AjU4AjU5AjVhAjViAjVjAjVkAjVlAjVmAjYwAjYxAjYyAjYzAjY0AjY1',
    'AjY2AjY3AjY4AjY5AjZhAjZiAjZjAjZkAjZlAjZmAjcwAjcxAjcyAjczAjc0Ajc1Ajc2Ajc3Ajc4Ajc5AjdhAjdiAjdjAjdkAjdlAjdmAjgwAjgxAjgyAjgzAjg0Ajg1Aj',
    'g2Ajg3Ajg4Ajg5AjhhAjhiAjhjAjhkAjhlAjhmAjkwAjkxAjkyAjkzAjk0Ajk1Ajk2Ajk3Ajk4Ajk5AjlhAjliAjljAjlkAjllAjlmAmEwAmExAmEyAmEzAmE0AmE1AmE2',
    'AmE3AmE4AmE5AmFhAmFiAmFjAmFkAmFlAmFmAmIwAmIxAmIyAmIzAmI0AmI1AmI2AmI3AmI4AmI5AmJhAmJiAmJjAmJkAmJlAmJmAmMwAmMxAmMyAmMzAmM0AmM1AmM2Am',
    'M3AmM4AmM5AmNhAmNiAmNjAmNkAmNlAmNmAmQwAmQxAmQyAmQzAmQ0AmQ1AmQ2AmQ3AmQ4AmQ5AmRhAmRiAmRjAmRkAmRlAmRmAmUwAmUxAmUyAmUzAmU0AmU1AmU2AmU3',
    'AmU4AmU5AmVhAmViAmVjAmVkAmVlAmVmAmYwAmYxAmYyAmYzAmY0AmY1AmY2AmY3AmY4AmY5AmZhAmZiAmZjAmZkAmZlAmZmgwR/AYIEAH8UggQAAYMEAA==',
  ].join(''),
)
