permissions='{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "ListBucket",
      "Effect": "Allow",
      "Action": "s3:ListBucket",
      "Resource": "arn:aws:s3:::films",
      "Condition": {
        "StringLike": {
          "s3:prefix": "train/*"
        }
      }
    },
    {
      "Sid": "GetObjects",
      "Effect": "Allow",
      "Action": "s3:GetObject",
      "Resource": "arn:aws:s3:::films/train/*"
    }
  ]
}'
aws iam put-role-policy --role-name='reader' --policy-name='GatewayReads' --policy-document "$permissions"
