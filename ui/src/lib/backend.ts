// The one door between the page and the application: every command with its types. Nothing else imports Tauri.
// Tokens go in through `tokenSet` and `setupToken`, values of secrets through `secretSet` and `setupValue`; none of them ever
// comes back, and no other command carries a secret.

import { Channel, invoke } from '@tauri-apps/api/core';

import type { Activity } from './bindings/Activity';
import type { AuditEntry } from './bindings/AuditEntry';
import type { Autostart } from './bindings/Autostart';
import type { AutostartWish } from './bindings/AutostartWish';
import type { CommitList } from './bindings/CommitList';
import type { ConfigChange } from './bindings/ConfigChange';
import type { DecisionChoice } from './bindings/DecisionChoice';
import type { Draft } from './bindings/Draft';
import type { DrillReport } from './bindings/DrillReport';
import type { Error as Failure } from './bindings/Error';
import type { ExportFormat } from './bindings/ExportFormat';
import type { FoundSource } from './bindings/FoundSource';
import type { HistoryChoice } from './bindings/HistoryChoice';
import type { HostKey } from './bindings/HostKey';
import type { Installed } from './bindings/Installed';
import type { Job } from './bindings/Job';
import type { Keep } from './bindings/Keep';
import type { Leaving } from './bindings/Leaving';
import type { LeftKind } from './bindings/LeftKind';
import type { MirrorLook } from './bindings/MirrorLook';
import type { MirrorRequest } from './bindings/MirrorRequest';
import type { MirrorTest } from './bindings/MirrorTest';
import type { Offer } from './bindings/Offer';
import type { OpenChangeChoice } from './bindings/OpenChangeChoice';
import type { Overview } from './bindings/Overview';
import type { Plan } from './bindings/Plan';
import type { Readiness } from './bindings/Readiness';
import type { Removed } from './bindings/Removed';
import type { Rescue } from './bindings/Rescue';
import type { RoleChoice } from './bindings/RoleChoice';
import type { RoleOutcome } from './bindings/RoleOutcome';
import type { RolePlan } from './bindings/RolePlan';
import type { RunRecord } from './bindings/RunRecord';
import type { SchedulePause } from './bindings/SchedulePause';
import type { SecretPlace } from './bindings/SecretPlace';
import type { SecretsSet } from './bindings/SecretsSet';
import type { SentinelReport } from './bindings/SentinelReport';
import type { SetUp } from './bindings/SetUp';
import type { SettingKey } from './bindings/SettingKey';
import type { Settings } from './bindings/Settings';
import type { SourceLook } from './bindings/SourceLook';
import type { Stamped } from './bindings/Stamped';
import type { SyncChoice } from './bindings/SyncChoice';
import type { TokenReport } from './bindings/TokenReport';
import type { TypedPlace } from './bindings/TypedPlace';
import type { Updates } from './bindings/Updates';

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
  /** The commits that one tip has and another lacks; fetched from the mirror where they are not here yet. */
  commits(repository: string, mirror: string | null, tip: string, without: string | null): Promise<CommitList>;
  /** At most 200 runs, newest first, with the first 20 changes of each. Runs of one sync have one `job`. */
  history(choice: HistoryChoice): Promise<RunRecord[]>;
  /** Asks where and writes the runs there; answers the file, or null where the person changed their mind. */
  historyExport(choice: HistoryChoice, format: ExportFormat): Promise<string | null>;
  /** The runs of the last days as a chart shows them, a track for each mirror. */
  activity(repository: string, days: number): Promise<Activity>;
  /** One run with its changes. */
  run(id: string): Promise<RunRecord | null>;
  /** The latest lines of the audit trail, newest first. */
  audit(repository: string): Promise<AuditEntry[]>;
  /** Tips that were saved before they were moved or deleted. */
  rescues(repository: string): Promise<Rescue[]>;
  /** Puts a rescued tip back where it was; answers what was done. */
  rescueRestore(id: string): Promise<string>;
  /** Removes a rescued tip for good; answers what it was. */
  rescueDrop(id: string): Promise<Rescue>;
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
  /** The settings as they hold now. */
  settings(): Promise<Settings>;
  /** Writes settings into `standin.toml`, at once; refused with the mistake where a value cannot be used. */
  settingsSet(changes: ConfigChange<SettingKey>[]): Promise<Settings>;
  /** Whether the program is started at login. */
  autostart(): Promise<Autostart>;
  autostartSet(wish: AutostartWish): Promise<Autostart>;
  /** Syncs nothing by itself for so many minutes, or until it is resumed. */
  schedulePause(minutes: number | null): Promise<SchedulePause>;
  /** Ends a pause; false where there was none. */
  scheduleResume(): Promise<boolean>;
  /** Whether the window is to be closed after all, and the schedule ends with it. */
  closeAnswer(yes: boolean): Promise<void>;
  /** How this program comes by newer versions of itself. */
  updates(): Promise<Updates>;
  /** Looks for a newer version; null where this one is the newest. */
  updateLook(): Promise<Offer | null>;
  /** Brings the version that was shown and puts it in place; answers what is to do then. */
  updateTake(version: string): Promise<string>;
  /** Sends a test to a place that word is sent to, or (`null`) shows one on this desktop; rejected with why it did not arrive. */
  notifyTest(name: string | null): Promise<void>;
  /** Clones on this machine that could be looked after, those used last first. */
  foundSources(): Promise<FoundSource[]>;
  /** Opens the system's dialog for a folder; null where the person changed their mind. */
  chooseSource(): Promise<FoundSource | null>;
  /** Keeps a typed token in the program's memory while something is set up; null forgets it. */
  setupToken(place: TypedPlace, token: string | null): Promise<void>;
  /** The same for the value of a secret; answers the names of all that were typed. */
  setupValue(name: string, value: string | null): Promise<string[]>;
  /** Forgets every token and value that was typed. */
  setupForget(): Promise<void>;
  /** Looks at the source of what would be set up; writes nothing. The settings of the mirror may be empty still. */
  setupSource(request: MirrorRequest): Promise<SourceLook>;
  /** Looks at the place where the mirror would be; writes nothing. */
  setupMirror(request: MirrorRequest): Promise<MirrorLook>;
  /** Makes the repository where that is wished, writes the file, keeps tokens and values. */
  setUp(draft: Draft, create: boolean, keep: Keep): Promise<SetUp>;
  /** Keeps what was typed, once more; answers what could still not be kept. */
  setupKeep(draft: Draft, keep: Keep): Promise<Failure[]>;
  /** What a change of the configuration would be: the difference, and what it would mean. Writes nothing. */
  mirrorDraft(request: MirrorRequest): Promise<Draft>;
  /** Writes a change as it was shown. */
  mirrorWrite(draft: Draft): Promise<void>;
  /** Tries a mirror's address, token and rights; changes nothing. */
  mirrorTest(repository: string, mirror: string): Promise<MirrorTest>;
  /** Trusts an ssh host key that the person has looked at. */
  hostKeyAccept(key: HostKey): Promise<void>;
  /** What of Standin stays where a mirror goes. */
  mirrorLeaving(repository: string, mirror: string): Promise<Leaving>;
  /** Cleans away what is named, then takes the mirror out as it was drafted. */
  mirrorRemove(draft: Draft, clean: LeftKind[]): Promise<Removed>;
  /** Looks at the sentinel on the master and on each standby. */
  sentinelCheck(repository: string): Promise<SentinelReport>;
  /** Commits the sentinel to the master, or asks for it by a pull request; over a file that is not Standin's only where `replace` says so. */
  sentinelInstall(repository: string, pullRequest: boolean, replace: boolean): Promise<Installed>;
  /** Makes the sentinel's tokens secrets of a standby; one that is not given stays as it is. */
  sentinelTokens(
    repository: string,
    mirror: string,
    tokens: { standin?: string | null; master?: string | null },
  ): Promise<SecretsSet>;
  /** The drills that were played, newest first. */
  drills(repository: string): Promise<DrillReport[]>;
  /** Whether each standby could take over now; changes nothing. Asks the hosts. */
  drillCheck(repository: string): Promise<Readiness>;
  /** Rehearses a fail-over away from everything real, and answers what came of it; takes a minute or two. */
  drill(repository: string, mirror: string | null): Promise<DrillReport>;
  /** Asks the drill that is being played to end; false where there is none. */
  drillStop(): Promise<boolean>;
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
  commits: (repository, mirror, tip, without) => invoke('commits', { repository, mirror, tip, without }),
  history: (choice) => invoke('history', { choice }),
  historyExport: (choice, format) => invoke('history_export', { choice, format }),
  activity: (repository, days) => invoke('activity', { repository, days }),
  run: (id) => invoke('run', { id }),
  audit: (repository) => invoke('audit', { repository }),
  rescues: (repository) => invoke('rescues', { repository }),
  rescueRestore: (id) => invoke('rescue_restore', { id }),
  rescueDrop: (id) => invoke('rescue_drop', { id }),
  tokenCheck: (repository, mirror) => invoke('token_check', { repository, mirror }),
  tokenSet: (repository, mirror, token, keep) => invoke('token_set', { repository, mirror, token, keep }),
  tokenRemove: (repository, mirror) => invoke('token_remove', { repository, mirror }),
  rolePlan: (choice) => invoke('role_plan', { choice }),
  roleChange: (choice) => invoke('role_change', { choice }),
  roleEnd: (repository, mirror, choice) => invoke('role_end', { repository, mirror, choice }),
  secrets: (repository) => invoke('secrets', { repository }),
  secretSet: (repository, name, value) => invoke('secret_set', { repository, name, value }),
  secretRemove: (repository, name) => invoke('secret_remove', { repository, name }),
  settings: () => invoke('settings'),
  settingsSet: (changes) => invoke('settings_set', { changes }),
  autostart: () => invoke('autostart'),
  autostartSet: (wish) => invoke('autostart_set', { wish }),
  schedulePause: (minutes) => invoke('schedule_pause', { minutes }),
  scheduleResume: () => invoke('schedule_resume'),
  closeAnswer: (yes) => invoke('close_answer', { yes }),
  updates: () => invoke('updates'),
  updateLook: () => invoke('update_look'),
  updateTake: (version) => invoke('update_take', { version }),
  notifyTest: (name) => invoke('notify_test', { name }),
  foundSources: () => invoke('found_sources'),
  chooseSource: () => invoke('choose_source'),
  setupToken: (place, token) => invoke('setup_token', { place, token }),
  setupValue: (name, value) => invoke('setup_value', { name, value }),
  setupForget: () => invoke('setup_forget'),
  setupSource: (request) => invoke('setup_source', { request }),
  setupMirror: (request) => invoke('setup_mirror', { request }),
  setUp: (draft, create, keep) => invoke('set_up', { draft, create, keep }),
  setupKeep: (draft, keep) => invoke('setup_keep', { draft, keep }),
  mirrorDraft: (request) => invoke('mirror_draft', { request }),
  mirrorWrite: (draft) => invoke('mirror_write', { draft }),
  mirrorTest: (repository, mirror) => invoke('mirror_test', { repository, mirror }),
  hostKeyAccept: (key) => invoke('host_key_accept', { key }),
  mirrorLeaving: (repository, mirror) => invoke('mirror_leaving', { repository, mirror }),
  mirrorRemove: (draft, clean) => invoke('mirror_remove', { draft, clean }),
  sentinelCheck: (repository) => invoke('sentinel_check', { repository }),
  sentinelInstall: (repository, pullRequest, replace) =>
    invoke('sentinel_install', { repository, pullRequest, replace }),
  sentinelTokens: (repository, mirror, { standin = null, master = null }) =>
    invoke('sentinel_tokens', { repository, mirror, standin, master }),
  drills: (repository) => invoke('drills', { repository }),
  drillCheck: (repository) => invoke('drill_check', { repository }),
  drill: (repository, mirror) => invoke('drill', { repository, mirror }),
  drillStop: () => invoke('drill_stop'),
  subscribe: (hear) => {
    const channel = new Channel<Stamped[]>();
    channel.onmessage = hear;
    return invoke('subscribe', { channel });
  },
};
