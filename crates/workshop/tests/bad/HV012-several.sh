#!/bin/bash
# HV012 several
USERNAME=root@pam
PASSWORD='hunter2-prod'
curl -sk -u "admin:geheim99" https://10.0.0.1/api -m 5
export PGPASSWORD=s3cr3tpw
exit 0
