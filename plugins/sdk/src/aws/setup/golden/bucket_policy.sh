policy='{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "ListBucket",
      "Effect": "Allow",
      "Principal": {
        "AWS": "arn:aws:iam::111122223333:role/gateway"
      },
      "Action": "s3:ListBucket",
      "Resource": "arn:aws:s3:::films",
      "Condition": {
        "StringEquals": {
          "aws:PrincipalTag/organization": "studio"
        }
      }
    },
    {
      "Sid": "GetObjects",
      "Effect": "Allow",
      "Principal": {
        "AWS": "arn:aws:iam::111122223333:role/gateway"
      },
      "Action": "s3:GetObject",
      "Resource": "arn:aws:s3:::films/*",
      "Condition": {
        "StringEquals": {
          "aws:PrincipalTag/organization": "studio"
        }
      }
    }
  ]
}'
case "$(aws s3api get-bucket-policy --bucket='films' 2>&1)" in
*NoSuchBucketPolicy*) aws s3api put-bucket-policy --bucket='films' --policy "$policy" ;;
*AllowedMethods*|*Statement*) echo 'The bucket has a policy: add the statements of the JSON document to it.' >&2 ;;
*) aws s3api get-bucket-policy --bucket='films' ;;
esac
