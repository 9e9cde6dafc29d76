import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { createCredentialMetrics } from './metrics.ts';
import { credentialOf, record } from './testing/views.ts';

it('shows a credential by namespace and name, and forgets it', async () => {
  const registry = new Registry();
  const metrics = createCredentialMetrics(registry);
  const { version, state, createdAt, changedAt, origin } = record(3, 'Current', 'a');
  metrics.observe(credentialOf(), {
    currentVersion: 3,
    versions: [{ version, state, createdAt, changedAt, origin }],
    conditions: [
      {
        type: 'Ready',
        status: 'True',
        reason: 'UpToDate',
        message: '',
        lastTransitionTime: createdAt,
      },
    ],
  });
  const labels = '{namespace="trading",name="maker"}';
  expect(await registry.metrics()).toContain(`strongroom_credential_ready${labels} 1`);
  expect(await registry.metrics()).toContain(`strongroom_credential_current_version${labels} 3`);
  expect(await registry.metrics()).toContain(
    `strongroom_credential_version_created_timestamp_seconds${labels} ${Date.parse(createdAt) / 1000}`,
  );
  metrics.observe(credentialOf(), {});
  expect(await registry.metrics()).toContain(`strongroom_credential_ready${labels} 0`);
  expect(await registry.metrics()).not.toContain('timestamp_seconds{');
  metrics.forget('trading', 'maker');
  expect(await registry.metrics()).not.toContain('maker');
});
