#!/bin/sh
# What a container runs: `control` or `rank` is a node of the cluster; anything else goes to the command line as it is.
#   TROUPE_CONFIG   the node's troupe part (default: hocon/docker.conf)
#   TROUPE_CONTROL  name of the control node's container (default: control)
# HOCON as Akka.NET reads it knows no environment, so the container's own name is written behind the file here.
set -eu
cd /app
case "${1:-}" in
  control | rank) ;;
  *) exec dotnet troupe.dll "$@" ;;
esac
node=$(mktemp)
host=${HOSTNAME:-$(cat /etc/hostname)}
cat "${TROUPE_CONFIG:-hocon/docker.conf}" - > "$node" << END

akka {
  remote.dot-netty.tcp {
    hostname = "$host"
    port = 4100
  }
  cluster {
    seed-nodes = ["akka.tcp://troupe@${TROUPE_CONTROL:-control}:4100"]
    roles = [$1]
  }
}
END
exec dotnet troupe.dll node -c "$node"
