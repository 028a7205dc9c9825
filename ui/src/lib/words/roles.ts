// Changes of master in words: what is lost, what starts and stops, and how each ended.

import type { HandBackRef } from '../bindings/HandBackRef';
import type { RolePlan } from '../bindings/RolePlan';
import type { RoleEnding } from '../state/roles.svelte';
import { counted } from './time';
import { refWords } from './words';

/** Part of a preview: a heading with what stands below it. */
export interface Part {
  title: string;
  /** Said where there is nothing to list. */
  none: string;
  items: string[];
}

/** What stands between the standby and the master as it last was. */
export function missing(plan: RolePlan): string[] {
  const commits = plan.missing_commits ?? 0;
  return [
    ...(commits > 0 ? [`${counted(commits, 'commit')} of the default branch`] : []),
    ...plan.missing_refs.map(refWords),
    ...plan.missing_secrets.map((name) => `secret ${name} (no value there)`),
    ...plan.missing_variables.map((name) => `variable ${name}`),
    ...plan.missing_workflows.map((path) => `workflow ${fileName(path)}`),
  ];
}

/** What the change costs, each in words that somebody has to say yes to. */
export function losses(plan: RolePlan): string[] {
  const found: string[] = [];
  const commits = plan.missing_commits ?? 0;
  // With the old master there, its commits are brought over first.
  if (plan.kind === 'failover') {
    if (commits > 0) found.push(`${counted(commits, 'commit')} of the default branch stay behind on ${plan.old}`);
    if (plan.missing_refs.length > 0) {
      found.push(`${plan.missing_refs.map(refWords).join(', ')} stay behind on ${plan.old}`);
    }
  }
  if (plan.missing_secrets.length > 0) {
    found.push(`workflows of ${plan.new} do without ${plan.missing_secrets.join(', ')}`);
  }
  if (plan.missing_variables.length > 0) {
    found.push(`workflows of ${plan.new} do without the variables ${plan.missing_variables.join(', ')}`);
  }
  if (plan.missing_workflows.length > 0) {
    found.push(`${plan.missing_workflows.map(fileName).join(', ')} cannot run at ${plan.new}`);
  }
  if (plan.kind === 'switchover') {
    found.push(`${plan.old} is well; its workflows stop, and it follows ${plan.new} from then on`);
  }
  return found;
}

/** The screen "What will happen", in parts. */
export function parts(plan: RolePlan): Part[] {
  const starts = { title: 'Starts running there', none: 'No workflow', items: plan.enables.map(fileName) };
  const stays = { title: 'Never travels', none: '', items: plan.never_travels };
  if (plan.hand_back) {
    const home = plan.hand_back;
    return [
      { title: 'Comes home', none: 'Nothing: both have the same commits', items: home.refs.map(homeward) },
      {
        title: 'To look at by hand',
        none: 'No secret or variable differs',
        items: [
          ...home.secrets.map(
            (secret) => `secret ${secret.name} was written on ${home.from}; its value cannot be read`,
          ),
          ...home.variables.map((variable) => `variable ${variable.name} differs`),
        ],
      },
      { title: `Stops at ${plan.old}`, none: '', items: ['its workflows; it follows again'] },
      starts,
    ];
  }
  return [{ title: 'Missing there', none: 'Nothing that Standin knows of', items: missing(plan) }, starts, stays];
}

/** The words of the last button: the deed itself. */
export function deed(plan: RolePlan): string {
  if (plan.kind === 'demote') return 'Hand back';
  const commits = plan.kind === 'failover' ? (plan.missing_commits ?? 0) : 0;
  return commits > 0 ? `Promote and lose ${counted(commits, 'commit')}` : 'Promote';
}

export const endingWords: Record<RoleEnding, string> = {
  done: 'The master has changed.',
  rolled_back: 'It was taken back: everything is as before.',
  open: 'It stopped half-way. Both sides are safe, and every machine sees it.',
  not_begun: 'It could not begin. Nothing was changed.',
  broken: 'A mistake in Standin ended it. Look at the state before anything else.',
};

function homeward(home: HandBackRef): string {
  const what = `${refWords(home.name)} (${counted(home.commits, 'commit')})`;
  if (home.refused) return `${what}: ${home.refused}`;
  return home.at && home.at !== home.name ? `${what}, as ${refWords(home.at)}` : what;
}

function fileName(path: string): string {
  return path.replace(/^\.github\/workflows\//, '');
}
