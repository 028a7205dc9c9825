import type { Error } from './Error';
import type { Stamped } from './Stamped';
export type Message =
  | { kind: 'events'; events: Array<Stamped> }
  | { kind: 'job_ended'; job: string; repository: string; mirrors: Array<string>; error: Error | null };
