# Runs inside the root: lets dpkg configure every unpacked package.
set -eu
export DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true PERL_HASH_SEED=0
umask 022

# One user is mapped in the build's user namespace, and every file of the image belongs to
# root: changing owners is neither possible nor meant.
mkdir -p /build/shim
for program in chown chgrp; do
    printf '#!/bin/sh\nexit 0\n' >"/build/shim/$program"
    chmod 755 "/build/shim/$program"
done
# Nix's sandbox forbids setuid and setgid bits; debian-unpack-one.sh keeps those of packages.
cat >/build/shim/chmod <<'EOF'
#!/bin/bash
arguments=()
for argument; do
    [[ $argument =~ ^0?[2-7][0-7]{3}$ ]] && argument=${argument: -3}
    arguments+=("$argument")
done
exec /usr/bin/chmod "${arguments[@]}"
EOF
chmod 755 /build/shim/chmod
export PATH=/build/shim:$PATH

# What preinst scripts of the first packages would have made.
if [ ! -e /etc/passwd ]; then
    cp /usr/share/base-passwd/passwd.master /etc/passwd
    cp /usr/share/base-passwd/group.master /etc/group
    # Files that exist keep their owner; new ones would be given to the group `shadow`.
    (umask 077 && : >/etc/shadow && : >/etc/gshadow)
fi
mkdir -p /var/log /var/lib/dpkg/alternatives /var/lib/dpkg/triggers /var/lib/dpkg/parts

printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
dpkg --force-unsafe-io --force-confold --configure --pending
rm /usr/sbin/policy-rc.d

[ -z "$atEnd" ] || bash "$atEnd"
dpkg --audit

# State that holds clocks, inode numbers or random bits, and caches that programs make again.
rm -rf /var/log/* /var/cache/ldconfig /var/cache/debconf/*-old /var/cache/fontconfig/* \
    /var/lib/dpkg/*-old /var/lib/dpkg/lock* /var/lib/dpkg/triggers/Lock /var/cache/apt/*.bin \
    /etc/machine-id /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/.pwd.lock \
    /etc/subuid- /etc/subgid- /var/lib/systemd /tmp/* /run/*
find /usr/lib/python3* -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || :
ldconfig
rm -rf /var/cache/ldconfig
