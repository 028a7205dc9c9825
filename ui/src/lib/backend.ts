// The one door between the page and the application: every command with its types. Nothing else imports Tauri.
// Tokens go in through `tokenSet` and values of secrets through `secretSet`; neither ever comes back, and no other command
// carries a secret.

import { Channel, invoke } from '@tauri-apps/api/core';

import type { AuditEntry } from './bindings/AuditEntry';
import type { DecisionChoice } from './bindings/DecisionChoice';
import type { Error as Failure } from './bindings/Error';
import type { Job } from './bindings/Job';
import type { Keep } from './bindings/Keep';
import type { OpenChangeChoice } from './bindings/OpenChangeChoice';
import type { Overview } from './bindings/Overview';
import type { Plan } from './bindings/Plan';
import type { Rescue } from './bindings/Rescue';
import type { RoleChoice } from './bindings/RoleChoice';
import type { RoleOutcome } from './bindings/RoleOutcome';
import type { RolePlan } from './bindings/RolePlan';
import type { RunRecord } from './bindings/RunRecord';
import type { SecretPlace } from './bindings/SecretPlace';
import type { Stamped } from './bindings/Stamped';
import type { SyncChoice } from './bindings/SyncChoice';
import type { TokenReport } from './bindings/TokenReport';

export interface Backend {
  /** Everything that the card shows: quick, without the network. */
  overview(): Promise<Overview>;
  /** Reads the configuration again. */
  reload(): Promise<Overview>;
  /** Says yes to what waits for it, named by the hash that was shown. */
  consentAllow(repository: string, hash: string): Promise<void>;
  /** Says no to what the `.env` of a clone asks for, or takes a yes back. */
  consentDeny(repository: string): Promise<void>;
  /** What a sync would do; changes nothing. */
  plan(choice: SyncChoice): Promise<Plan[]>;
  /** Starts a sync and answers at once with the job; what happens comes through `subscribe`. */
  sync(choice: SyncChoice): Promise<Job>;
  /** Asks a job to stop at its next safe point, a sync or a change of master; false where it has ended already. */
  cancel(job: string): Promise<boolean>;
  /** Looks at the mirrors without changing them. */
  health(repository: string): Promise<void>;
  /** Decides about a diverged ref; answers what was done. */
  resolve(repository: string, mirror: string, ask: string, choice: DecisionChoice): Promise<string>;
  /** The latest runs, newest first, without their changes. */
  history(repository: string): Promise<RunRecord[]>;
  /** One run with its changes. */
  run(id: string): Promise<RunRecord | null>;
  /** The latest lines of the audit trail, newest first. */
  audit(repository: string): Promise<AuditEntry[]>;
  /** Tips that were saved before they were moved or deleted. */
  rescues(repository: string): Promise<Rescue[]>;
  /** Puts a rescued tip back where it was; answers what was done. */
  rescueRestore(id: string): Promise<string>;
  /** Where the token of the source (`null`) or a mirror comes from and what it can do. Asks the host. */
  tokenCheck(repository: string, mirror: string | null): Promise<TokenReport | null>;
  /** Keeps a token for the source (`null`) or a mirror. */
  tokenSet(repository: string, mirror: string | null, token: string, keep: Keep): Promise<void>;
  /** Removes a kept token; false where there was none. */
  tokenRemove(repository: string, mirror: string | null): Promise<boolean>;
  /** What a change of master would do; changes nothing. */
  rolePlan(choice: RoleChoice): Promise<RolePlan>;
  /** Promotes or demotes a standby; answers when it has ended. What happens meanwhile comes through `subscribe`. */
  roleChange(choice: RoleChoice): Promise<RoleOutcome>;
  /** Goes on with the change of master that is open, or takes it back. */
  roleEnd(repository: string, mirror: string, choice: OpenChangeChoice): Promise<RoleOutcome>;
  /** The secrets that are known here, and where their values are; never a value. */
  secrets(repository: string): Promise<SecretPlace[]>;
  /** Keeps the value of a secret in the vault. */
  secretSet(repository: string, name: string, value: string): Promise<SecretPlace>;
  /** Removes a secret from the vault; false where it was not there. */
  secretRemove(repository: string, name: string): Promise<boolean>;
  /** Hears what happens from now on. */
  subscribe(hear: (events: Stamped[]) => void): Promise<void>;
}

/** What a command was refused with: always the error contract, whatever was thrown. */
export function asFailure(thrown: unknown): Failure {
  if (typeof thrown === 'object' && thrown !== null && 'message' in thrown && 'hint' in thrown && 'code' in thrown) {
    return thrown as Failure;
  }
  return {
    code: 'internal',
    message: thrown instanceof Error ? thrown.message : String(thrown),
    hint: 'This is a mistake in Standin. Restart it; if it comes back, please report it.',
    retryable: false,
  };
}

export const tauri: Backend = {
  overview: () => invoke('overview'),
  reload: () => invoke('reload'),
  consentAllow: (repository, hash) => invoke('consent_allow', { repository, hash }),
  consentDeny: (repository) => invoke('consent_deny', { repository }),
  plan: (choice) => invoke('plan', { choice }),
  sync: (choice) => invoke('sync', { choice }),
  cancel: (job) => invoke('cancel', { job }),
  health: (repository) => invoke('health', { repository }),
  resolve: (repository, mirror, ask, choice) => invoke('resolve', { repository, mirror, ask, choice }),
  history: (repository) => invoke('history', { repository }),
  run: (id) => invoke('run', { id }),
  audit: (repository) => invoke('audit', { repository }),
  rescues: (repository) => invoke('rescues', { repository }),
  rescueRestore: (id) => invoke('rescue_restore', { id }),
  tokenCheck: (repository, mirror) => invoke('token_check', { repository, mirror }),
  tokenSet: (repository, mirror, token, keep) => invoke('token_set', { repository, mirror, token, keep }),
  tokenRemove: (repository, mirror) => invoke('token_remove', { repository, mirror }),
  rolePlan: (choice) => invoke('role_plan', { choice }),
  roleChange: (choice) => invoke('role_change', { choice }),
  roleEnd: (repository, mirror, choice) => invoke('role_end', { repository, mirror, choice }),
  secrets: (repository) => invoke('secrets', { repository }),
  secretSet: (repository, name, value) => invoke('secret_set', { repository, name, value }),
  secretRemove: (repository, name) => invoke('secret_remove', { repository, name }),
  subscribe: (hear) => {
    const channel = new Channel<Stamped[]>();
    channel.onmessage = hear;
    return invoke('subscribe', { channel });
  },
};
