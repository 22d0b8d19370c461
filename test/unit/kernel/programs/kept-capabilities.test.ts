import { describe, expect, it } from 'vitest';
import { capabilityOptions } from '../../../../src/kernel/programs/kept-capabilities.ts';

describe('the capabilities that a program of a place keeps', () => {
  it('are those that this process may use', () => {
    // Docker's fourteen and NET_ADMIN.
    const [inheritable = '', ambient = ''] = capabilityOptions('CapPrm:\t00000000a80435fb\n');
    expect(inheritable).toBe(
      '--inh-caps=+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+net_bind_service,+net_admin,+net_raw,+sys_chroot,+mknod,+audit_write,+setfcap',
    );
    expect(ambient).toBe(inheritable.replace('inh', 'ambient'));
  });

  it('are named in no option when there are none', () => {
    expect(capabilityOptions('CapPrm:\t0000000000000000\n')).toEqual([]);
  });
});
