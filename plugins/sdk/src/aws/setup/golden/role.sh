trust='{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "AssumeWithExternalId",
      "Effect": "Allow",
      "Principal": {
        "AWS": "arn:aws:iam::111122223333:role/gateway"
      },
      "Action": "sts:AssumeRole",
      "Condition": {
        "StringEquals": {
          "sts:ExternalId": "pc-0123456789"
        }
      }
    }
  ]
}'
if aws iam get-role --role-name='reader' >/dev/null 2>&1; then
  aws iam update-assume-role-policy --role-name='reader' --policy-document "$trust"
else
  aws iam create-role --path='/media/' --role-name='reader' --assume-role-policy-document "$trust"
fi
