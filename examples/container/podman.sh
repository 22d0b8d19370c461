#!/bin/sh
# Rootless Podman gives its containers fewer capabilities than Docker: NET_RAW is to be added. Not run by towtank's own tests,
# which build and run the image as root.
podman build -t towtank .
podman run -d --name tank --hostname towtank --cap-add NET_ADMIN,NET_RAW -p 127.0.0.1:6443:6443 -p 127.0.0.1:8080:80 towtank
podman exec tank kubectl get nodes
# A network namespace for each node and pod:
podman run -d --name tank-full --cap-add NET_ADMIN,NET_RAW,SYS_ADMIN --security-opt label=disable towtank
