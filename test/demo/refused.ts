/** What admission does to somebody who may deploy, and may not have the key; and how one gets in. */
import { eventually } from '../eventually.ts';
import { kubeconfigOf } from './people.ts';
import type { Shell } from './shell.ts';

export interface GuardedDemo {
  readonly shell: Shell;
  readonly namespace: string;
  /** For kubeconfigs; private. */
  readonly work: string;
}

/** What a pipeline has, and more: it reads no Secret. */
const DEPLOYER = (namespace: string): string => `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: deployer, namespace: ${namespace} }
rules:
  - { apiGroups: [apps], resources: [deployments], verbs: [get, create, patch] }
  - { apiGroups: [''], resources: [pods], verbs: [get, list, create] }
  - { apiGroups: [''], resources: [pods/exec], verbs: [create] }
  - { apiGroups: [''], resources: [secrets], verbs: [create, delete] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: deployer, namespace: ${namespace} }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: deployer }
subjects: [{ apiGroup: rbac.authorization.k8s.io, kind: User, name: mallory }]
`;

/** It would print the key: all that it takes is the right to deploy. */
const THIEF = (namespace: string): string => `apiVersion: apps/v1
kind: Deployment
metadata: { name: harmless, namespace: ${namespace} }
spec:
  selector: { matchLabels: { app: harmless } }
  template:
    metadata: { labels: { app: harmless } }
    spec:
      serviceAccountName: maker
      containers:
        - name: main
          image: strongroom.test/shell:1
          command: [sh, -c, 'echo $KEY']
          env: [{ name: KEY, valueFrom: { secretKeyRef: { name: maker, key: HL_PRIVATE_KEY } } }]
`;

const APPROVERS = (namespace: string): string => `apiVersion: strongroom.dev/v1alpha1
kind: AccessPolicy
metadata: { name: desk-leads }
spec:
  subjects: [{ kind: Group, name: desk-leads }]
  roles: [EmergencyResponder]
  accessLevel: Emergency
  environments: [Development, Staging, Production]
  credentials: { namespaces: [${namespace}] }
`;

export async function showRefusals({ shell, namespace, work }: GuardedDemo): Promise<void> {
  const { kubectl, say, strongroom } = shell;
  const mallory = await kubeconfigOf(shell, 'mallory', [], work);
  await kubectl(['apply', '-f', '-'], DEPLOYER(namespace));
  const may = words(`auth can-i create deployments -n ${namespace}`);
  await eventually(
    async () => (await kubectl(['--kubeconfig', mallory, ...may])).stdout.trim() === 'yes',
    { what: 'mallory to be let deploy', intervalMs: 250 },
  );
  say(
    "mallory has RBAC to deploy, to exec and to replace Secrets. The bot's account reads the key, so",
  );
  say(`\n${THIEF(namespace).trimEnd()}`);
  for (const [command, input] of [
    ['apply -f -', THIEF(namespace)],
    [`exec -n ${namespace} bot -- cat /keys/HL_PRIVATE_KEY`],
    [`delete secret maker -n ${namespace} --wait=false`],
  ] as const) {
    const args = words(command);
    say(`\nmallory: kubectl ${command}\n${await refusal(shell, mallory, args, input)}`);
  }
  const question = `explain mount maker -n ${namespace} --as mallory`;
  say(`\nstrongroom ${question}`);
  say((await strongroom(words(question))).stdout.trimEnd());
}

/** Alice is of the desk; lena leads it. Nobody gets in alone. */
export async function showBreakGlass(demo: GuardedDemo): Promise<void> {
  const { shell, namespace, work } = demo;
  const { kubectl, say } = shell;
  const alice = await kubeconfigOf(shell, 'alice', ['desk-mm'], work);
  const lena = await kubeconfigOf(shell, 'lena', ['desk-leads'], work);
  await kubectl(['apply', '-f', '-'], APPROVERS(namespace));
  await kubectl(words(`delete emergencyaccess --all -n ${namespace}`));
  const into = words(`exec -n ${namespace} bot -- id -u`);
  say(`alice: kubectl ${into.join(' ')}\n${await refusal(shell, alice, into)}`);
  const emergency = (act: string, ...more: readonly string[]): readonly string[] => [
    ...words(`emergency ${act} -n ${namespace}`),
    ...more,
  ];
  const request = emergency(
    'request',
    ...words('--name stuck-orders --pod bot --for 10m --ticket INC-4711 --reason'),
    'orders are stuck, the bot hangs',
  );
  await eventually(() => as(shell, 'alice', alice, request), {
    what: 'alice to ask for emergency access',
    timeoutMs: 60_000,
    intervalMs: 500,
  });
  const own = emergency('approve stuck-orders', '--reason', 'it is me');
  say(`\nalice: strongroom ${told(own)}\n${await failure(shell, alice, own)}`);
  await as(shell, 'lena', lena, emergency('approve stuck-orders', '--reason', 'seen INC-4711'));
  const { stdout } = await eventually(() => kubectl(['--kubeconfig', alice, ...into]), {
    what: 'alice to get into the pod',
    timeoutMs: 60_000,
    intervalMs: 500,
  });
  say(`\nalice: kubectl ${into.join(' ')}\n${stdout.trimEnd()}`);
  await as(shell, 'alice', alice, emergency('end stuck-orders', '--reason', 'orders flow again'));
  say(`\nalice: kubectl ${into.join(' ')}\n${await refusal(shell, alice, into)}`);
  const finding = ['--finding', 'one restart, nothing was read'];
  await as(shell, 'lena', lena, emergency('review stuck-orders', ...finding));
}

async function as(
  { say, strongroom }: Shell,
  who: string,
  kubeconfig: string,
  args: readonly string[],
): Promise<true> {
  const { stdout } = await strongroom([...args, '--kubeconfig', kubeconfig]);
  say(`\n${who}: strongroom ${told(args)}\n${stdout.trimEnd()}`);
  return true;
}

/** What the API server says to who may not; an error when it says nothing of the kind. */
export async function refusal(
  { kubectl }: Shell,
  kubeconfig: string,
  args: readonly string[],
  input?: string,
): Promise<string> {
  const answer = await kubectl(['--kubeconfig', kubeconfig, ...args], input).then(
    () => undefined,
    (error: unknown) => String(error),
  );
  const said = /(?:Error from server|error:).*/s.exec(answer ?? '')?.[0];
  if (said === undefined || !/forbidden|denied/i.test(said)) {
    throw new Error(
      `kubectl ${args.join(' ')} should have been refused: ${answer ?? 'it was not'}`,
    );
  }
  return said.trimEnd();
}

async function failure(
  { strongroom }: Shell,
  kubeconfig: string,
  args: readonly string[],
): Promise<string> {
  const answer = await strongroom([...args, '--kubeconfig', kubeconfig]).then(
    () => undefined,
    (error: unknown) => (error as Error).message,
  );
  if (answer === undefined) throw new Error(`strongroom ${args.join(' ')} should have failed`);
  return answer.replace(/^.*? failed \(\d+\): /, '');
}

function words(text: string): readonly string[] {
  return text.split(' ');
}

function told(args: readonly string[]): string {
  return args.map((arg) => (/\s/.test(arg) ? JSON.stringify(arg) : arg)).join(' ');
}
