#!/bin/sh
# Makes an installed Debian into what the image holds: what Standin uses stays, and nothing stays that helps only to install
# more. Runs as root, in the root folder that is to become the image; `Containerfile` and `cargo xtask setup` both use it.
set -eu

# git asks for Perl, and needs it for commands that Standin never runs. apt and what only apt needs would find a read-only
# system. What is left out here is out of dpkg's list too, so that a scanner of packages sees what is there.
superfluous=$(dpkg-query --show --showformat='${Package}\n' |
    grep -E '^(apt|debian-archive-keyring|gpgv|libapt-pkg.*|liberror-perl|libperl.*|libstdc\+\+6|openssl|perl.*|sqv)$')
# shellcheck disable=SC2086 # each is a word
dpkg --purge --force-depends --force-remove-essential --force-remove-protected $superfluous 2>/dev/null >/dev/null

# Servers and old transports: Standin pushes and fetches.
cd "$(git --exec-path)"
rm -f git-daemon git-http-backend git-http-fetch git-http-push git-imap-send git-sh-i18n--envsubst git-shell scalar
# The package has this program twice.
if cmp -s git /usr/bin/git; then ln -sf /usr/bin/git git; fi

# Pages and translations that nobody reads in there; the licences stay.
find /usr/share/doc -type f ! -name copyright -delete
find /usr/share/doc -type l -delete
find /usr/share/doc -type d -empty -delete
rm -rf /usr/share/bug /usr/share/gitweb /usr/share/info /usr/share/lintian /usr/share/locale /usr/share/man
rm -rf /container /tmp/* /var/cache/* /var/lib/apt /var/log/* /var/tmp/*
rm -f /etc/machine-id /var/lib/dpkg/*-old

# Nobody becomes anybody else in there.
find / -xdev -type f -perm /6000 -exec chmod a-s {} +

# The user of the container. ssh looks for keys and known hosts in the home folder that stands here, whatever HOME says.
groupadd --gid 10001 standin
useradd --uid 10001 --gid 10001 --home-dir /data/.home --no-create-home --shell /usr/sbin/nologin standin
rm -f /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid-
install --directory --owner=10001 --group=10001 --mode=0700 /data /data/.home

# A library too many was taken out: better told here than at night.
find / -xdev -type f -perm /111 \( -path '*/bin/*' -o -path '*/sbin/*' -o -path '*/git-core/*' -o -path '*/openssh/*' \) \
    -exec sh -c 'for file; do ldd "$file" 2>/dev/null | sed -n "s|.*not found.*|$file: &|p"; done' sh {} + >/dev/shm/missing
if [ -s /dev/shm/missing ]; then
    cat /dev/shm/missing >&2
    exit 1
fi
rm -f /dev/shm/missing
